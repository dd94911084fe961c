// SPDX-License-Identifier: GPL-2.0-or-later
// Set-up functions return a value or an error: one line that says what went wrong, with which file
// or option, and what to do. The program prints it.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace crosswalk {

struct Error {
  std::string message;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error.message)) {}
  explicit operator bool() const { return value_.has_value(); }
  // Precondition: *this holds a value.
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }
  // Precondition: *this holds an error.
  const std::string& error() const { return error_; }
  Error take_error() { return Error{std::move(error_)}; }

 private:
  std::optional<T> value_;
  std::string error_;
};

}  // namespace crosswalk
