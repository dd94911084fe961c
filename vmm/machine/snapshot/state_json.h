// SPDX-License-Identifier: GPL-2.0-or-later
// A state (state_fields.h) as JSON and back. What is read back is checked: names, kinds, ranges of
// integers and lengths of arrays. It throws StateError, which says where.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "vmm/machine/snapshot/state_fields.h"

namespace crosswalk::vmm {

using Json = nlohmann::json;

struct StateError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
concept FixedArray = std::is_bounded_array_v<T> || requires {
  std::tuple_size<T>::value;
};
template <class T>
concept Sequence = !FixedArray<T> && requires(T & t) {
  t.emplace_back();
};
// Longer ones are of no state.
inline constexpr size_t kMaxSequence = 1 << 20;

template <class T>
void to_state_json(Json& to, const T& value) {
  if constexpr (std::same_as<T, bool> || std::unsigned_integral<T> || std::same_as<T, std::string>) {
    to = value;
  } else if constexpr (std::is_enum_v<T>) {
    to = static_cast<std::underlying_type_t<T>>(value);
  } else if constexpr (FixedArray<T> || Sequence<T>) {
    to = Json::array();
    for (const auto& element : value) to_state_json(to.emplace_back(), element);
  } else {
    to = Json::object();
    fields([&](const char* name, const auto& field) { to_state_json(to[name], field); }, value);
  }
}

template <class T>
void from_state_json(const Json& from, T& value, const std::string& where) {
  if constexpr (std::same_as<T, bool>) {
    if (!from.is_boolean()) throw StateError(where + " is not true or false");
    value = from.get<bool>();
  } else if constexpr (std::same_as<T, std::string>) {
    if (!from.is_string()) throw StateError(where + " is not a string");
    value = from.get<std::string>();
  } else if constexpr (std::unsigned_integral<T>) {
    if (!from.is_number_unsigned() || from.get<uint64_t>() > std::numeric_limits<T>::max())
      throw StateError(where + " is not a number of " + std::to_string(sizeof(T) * 8) + " bits");
    value = static_cast<T>(from.get<uint64_t>());
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> number;
    from_state_json(from, number, where);
    value = static_cast<T>(number);
  } else if constexpr (FixedArray<T>) {
    if (!from.is_array() || from.size() != std::size(value))
      throw StateError(where + " is not an array of " + std::to_string(std::size(value)));
    for (size_t i = 0; i < std::size(value); ++i)
      from_state_json(from[i], value[i], where + "[" + std::to_string(i) + "]");
  } else if constexpr (Sequence<T>) {
    if (!from.is_array() || from.size() > kMaxSequence) throw StateError(where + " is not an array");
    value.clear();
    for (size_t i = 0; i < from.size(); ++i)
      from_state_json(from[i], value.emplace_back(), where + "[" + std::to_string(i) + "]");
  } else {
    if (!from.is_object()) throw StateError(where + " is not an object");
    fields(
        [&](const char* name, auto& field) {
          const std::string path = where + "." + name;
          const auto found = from.find(name);
          if (found == from.end()) throw StateError(path + " is missing");
          from_state_json(*found, field, path);
        },
        value);
  }
}

}  // namespace crosswalk::vmm
