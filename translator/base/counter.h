// SPDX-License-Identifier: GPL-2.0-or-later
// Counters that describe themselves: beside a struct of counters stands a table with one row for
// each that --stats shows. A new counter is a field and a row.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <variant>

namespace crosswalk {

enum class CounterUnit : uint8_t {
  Count,
  Bytes,
  Ticks,         // of the time-stamp counter or another clock; shown in seconds
  Nanoseconds,   // shown as they are
  Milliseconds,  // nanoseconds that are shown in milliseconds
  Mips,          // millions of instructions a second
};

template <class Struct>
struct Counter {
  using Shown = std::variant<uint64_t, double>;

  const char* name;
  // A field, or what follows from several.
  std::variant<uint64_t Struct::*, double Struct::*, uint64_t (*)(const Struct&)> value;
  CounterUnit unit = CounterUnit::Count;
  bool (*applies)(const Struct&) = nullptr;  // whether there is anything to show; null: always

  bool is_shown(const Struct& values) const { return applies == nullptr || applies(values); }

  Shown shown(const Struct& values, double ticks_per_second) const {
    return std::visit(
        [&](auto source) -> Shown {
          if constexpr (requires { source(values); })
            return in_unit(source(values), ticks_per_second);
          else
            return in_unit(values.*source, ticks_per_second);
        },
        value);
  }

  const char* unit_name() const {
    switch (unit) {
      case CounterUnit::Count: return "";
      case CounterUnit::Bytes: return "bytes";
      case CounterUnit::Ticks: return "s";
      case CounterUnit::Nanoseconds: return "ns";
      case CounterUnit::Milliseconds: return "ms";
      case CounterUnit::Mips: return "MIPS";
    }
    return "";
  }

 private:
  template <class Number>
  Shown in_unit(Number number, double ticks_per_second) const {
    if (unit == CounterUnit::Ticks) return static_cast<double>(number) / ticks_per_second;
    if (unit == CounterUnit::Milliseconds) return static_cast<double>(number) * 1e-6;
    return number;
  }
};

// Adds up structs that consist of counters of 64 bits.
template <class Struct>
void add_counters(Struct& sum, const Struct& more) {
  using Words = std::array<uint64_t, sizeof(Struct) / sizeof(uint64_t)>;
  auto words = std::bit_cast<Words>(sum);
  const auto others = std::bit_cast<Words>(more);
  for (size_t i = 0; i < words.size(); i++) words[i] += others[i];
  sum = std::bit_cast<Struct>(words);
}

}  // namespace crosswalk
