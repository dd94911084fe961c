// SPDX-License-Identifier: GPL-2.0-or-later
// The windows of --mmu shadow are linear address space of the VM alone, and installed entries are
// x86 page-table entries VA -> guest-physical address of guest RAM, written by engine code inside
// the VM.
//
// Glossary: see docs and ring0/page_tables.h. Events and reactions:
//   install of a not-present entry        a store; effective at once
//   install that only adds write access   a store; a stale translation at worst faults once more
//   any other change, remove              a store, and an INVLPG or full flush at commit()
//   the end of a window                   its tables are unlinked; they and its addresses are
//                                         reused after a commit
// Every operation may be called outside the VM too, between runs: it then enters the VM for it,
// since a software-MMU KVM does not see user-space stores to live tables.
#pragma once

#include <memory>

#include "mmu-shadow/mmu.h"
#include "translator/base/result.h"
#include "vmm/world/kvm/kvm_world.h"

namespace crosswalk::kvm {

// Reserves the address space of up to `max_windows` windows, and makes `ram` reachable in `world`.
// An error when there is no room. `world` and ram.host must outlive the backend.
Result<std::unique_ptr<mmu::WindowBackend>> make_shadow_backend(KvmWorld& world, const GuestRam& ram,
                                                                unsigned max_windows);

}  // namespace crosswalk::kvm
