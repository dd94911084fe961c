// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/kvm_vm.h"

#include <algorithm>
#include <utility>

#include "vmm/world/kvm/vcpu_frame.h"

namespace crosswalk::kvm {
namespace {

Result<VmMemory::Limits> limits_of(const System& system, const Cpuid& cpuid) {
  auto slots = system.check_extension(KVM_CAP_NR_MEMSLOTS);
  if (!slots) return slots.take_error();
  const auto* sizes = find_leaf(cpuid, 0x80000008);
  const unsigned physical_bits = sizes != nullptr && (sizes->eax & 0xff) != 0 ? sizes->eax & 0xff : 36;
  const auto* features = find_leaf(cpuid, 0x80000001);
  constexpr uint32_t kNoExecute = 1u << 20;
  return VmMemory::Limits{.slots = *slots > 0 ? static_cast<uint32_t>(*slots) : 32,
                          .gpa = uint64_t{1} << std::min(physical_bits, 52u),
                          .no_execute = features != nullptr && (features->edx & kNoExecute) != 0};
}

}  // namespace

Result<std::unique_ptr<KvmVm>> KvmVm::create(const KvmOptions& options) {
  auto system = System::open();
  if (!system) return system.take_error();
  auto vm = Vm::create(*system);
  if (!vm) return vm.take_error();
  auto cpuid = system->supported_cpuid();
  if (!cpuid) return cpuid.take_error();
  auto limits = limits_of(*system, *cpuid);
  if (!limits) return limits.take_error();
  auto arena = Arena::create(VcpuFrame::bytes(options.engine_stack_bytes), options.page_table_bytes);
  if (!arena) return arena.take_error();
  std::unique_ptr<KvmVm> made(
      new KvmVm{std::move(*system), std::move(*vm), std::move(*cpuid), std::move(*arena), nullptr, {}});
  auto memory = VmMemory::create(made->vm, *limits, made->arena);
  if (!memory) return memory.take_error();
  made->memory = std::move(*memory);
  return made;
}

}  // namespace crosswalk::kvm
