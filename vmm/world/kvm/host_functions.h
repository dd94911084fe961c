// SPDX-License-Identifier: GPL-2.0-or-later
// Work outside the VM for code inside, such as several system calls in one exit. What code inside
// names is the number of a function that was added before, not an address, and values: the function
// checks them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "translator/base/panic.h"
#include "vmm/world/kvm/ring0/upcall.h"

namespace crosswalk::kvm {

class HostFunctions {
 public:
  using Arguments = ring0::HostArguments;
  using Function = uint64_t (*)(void* context, const Arguments& arguments);
  using Number = uint32_t;

  // At most 8 at a time.
  Number add(Function function, void* context) {
    for (Number number = 0; number < entries_.size(); number++) {
      if (entries_[number].function != nullptr) continue;
      entries_[number] = {function, context};
      return number;
    }
    panic("kvm: too many host functions");
  }
  void remove(Number number) { entries_[number] = {}; }
  // Nothing when there is no function of this number.
  std::optional<uint64_t> call(uint64_t number, const Arguments& arguments) const {
    if (number >= entries_.size() || entries_[number].function == nullptr) return std::nullopt;
    return entries_[number].function(entries_[number].context, arguments);
  }

 private:
  struct Entry {
    Function function = nullptr;
    void* context = nullptr;
  };
  std::array<Entry, 8> entries_;
};

}  // namespace crosswalk::kvm
