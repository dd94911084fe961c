// SPDX-License-Identifier: GPL-2.0-or-later
// --mmu ept: the windows of another backend (mmap(2) in this process), used inside a KVM VM. The
// VM's page tables map them one to one in 2 MiB entries; the entries that matter are KVM's EPT/NPT
// (or shadow) entries, which follow the host's mappings by MMU notifiers.
//
// An access to a page that is not installed, or a store to a read-only one, comes out of KVM_RUN as
// -EFAULT without an address: FaultFrame::address_valid is false. The fault handler then runs
// outside the VM.
//
// Inside the VM each call of the inner backend is system calls, which exit: removals are collected
// until commit(), and done in one exit.
#pragma once

#include <memory>

#include "mmu-shadow/mmu.h"
#include "vmm/world/kvm/kvm_world.h"

namespace crosswalk::kvm {

// Whether so many windows of host memory could be reachable at a time: each takes memory slots.
bool has_slots(KvmWorld& world, uint64_t windows);

// `world` must outlive the backend.
std::unique_ptr<mmu::WindowBackend> make_ept_backend(KvmWorld& world, std::unique_ptr<mmu::WindowBackend> inner);

}  // namespace crosswalk::kvm
