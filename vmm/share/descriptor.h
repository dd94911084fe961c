// SPDX-License-Identifier: GPL-2.0-or-later
// A file descriptor, or why there is none.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace crosswalk::vmm {

// Of a system call that returned `status`: 0, or its errno.
inline int result_of(int status) { return status == 0 ? 0 : errno; }

class Descriptor {
 public:
  // A descriptor, which is closed at the end, or a negative errno.
  explicit Descriptor(int value = -EBADF) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -EBADF)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }

  explicit operator bool() const { return value_ >= 0; }
  int get() const { return value_; }
  // The errno; 0: there is a descriptor.
  int error() const { return value_ < 0 ? -value_ : 0; }

 private:
  int value_;
};

}  // namespace crosswalk::vmm
