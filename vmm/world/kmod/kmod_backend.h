// SPDX-License-Identifier: GPL-2.0-or-later
// The windows of --mmu kmod: mappings of /dev/crosswalk, whose entries the kernel module makes
// where an access faults (docs/kernel-module.md). In both worlds: KVM resolves a nested fault by
// calling the module's fault handler, and code inside the VM has its system calls made by the
// thread around it.
#pragma once

#include <functional>
#include <memory>

#include "mmu-shadow/mmu.h"
#include "translator/base/result.h"

namespace crosswalk::kmod {

inline constexpr const char* kDevice = "/dev/crosswalk";

// Opens the module's device for `ram`, a memfd that is sealed against shrinking, in this process
// and for it alone. All of RAM counts as locked memory as long as the backend lives, and once if
// several have the same. `has_room(n)`: there may be n windows at a time; null: as many as the
// module has. An error says why the module cannot be used, and what to do about it. ram.host must
// outlive the backend.
Result<std::unique_ptr<mmu::WindowBackend>> make_kmod_backend(const GuestRam& ram,
                                                              std::function<bool(uint64_t)> has_room = nullptr);

}  // namespace crosswalk::kmod
