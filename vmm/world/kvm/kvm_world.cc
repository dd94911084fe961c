// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/kvm_world.h"

#include <cstdio>
#include <utility>

#include "translator/base/panic.h"
#include "vmm/world/fault_report.h"

namespace crosswalk::kvm {

KvmWorld::KvmWorld(std::unique_ptr<KvmVm> vm, std::unique_ptr<EngineVcpu> cpu)
    : vm_(std::move(vm)),
      cpu_(std::move(cpu)),
      loop_(*vm_, *cpu_, counters_),
      flush_(vm_->memory->tables().root(), counters_),
      reach_(vm_->host_functions.add(
          [](void* self, const HostFunctions::Arguments& range) -> uint64_t {
            auto& world = *static_cast<KvmWorld*>(self);
            auto reached = world.memory().reach(range[0], range[1]);
            if (!reached) world.reach_error_ = reached.error();
            return static_cast<bool>(reached);
          },
          this)) {}

Result<std::unique_ptr<KvmWorld>> KvmWorld::create(const KvmOptions& options) {
  if (auto usable = check_kvm(); !usable) return usable.take_error();
  auto made = make(options);
  if (!made) return Error{"cannot make the KVM world: " + made.error()};
  return made;
}

Result<std::unique_ptr<KvmWorld>> KvmWorld::make(const KvmOptions& options) {
  auto vm = KvmVm::create(options);
  if (!vm) return vm.take_error();
  const VcpuFrame frame((*vm)->arena.frame(), options.engine_stack_bytes);
  if (auto mapped = frame.map(*(*vm)->memory); !mapped) return mapped.take_error();
  auto cpu = EngineVcpu::create(**vm, frame, 0);
  if (!cpu) return cpu.take_error();
  std::unique_ptr<KvmWorld> world(new KvmWorld(std::move(*vm), std::move(*cpu)));
  if (auto done = world->set_up(options); !done) return done.take_error();
  return world;
}

Result<bool> KvmWorld::set_up(const KvmOptions& options) {
  if (auto reached = memory().reach_present(); !reached) return reached;
  auto chosen = choose_mechanisms({memory(), *cpu_, loop_, flush_}, options);
  if (!chosen) return chosen.take_error();
  mechanisms_ = *chosen;
  if (auto aligned = cpu_->tsc().align([this] { return rdtsc_inside(); }); !aligned) return aligned;
  counters_ = {};
  cpu_->frame().area().upcalls = 0;
  return cpu_->frame().protect();
}

Result<uint64_t> KvmWorld::rdtsc_inside() {
  uint64_t ticks = 0;
  const auto failure = loop_.run([](void* result) { *static_cast<uint64_t*>(result) = __builtin_ia32_rdtsc(); }, &ticks,
                                 nullptr, nullptr);
  if (failure) return Error{failure->what};
  return ticks;
}

void KvmWorld::run(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* context) {
  const auto failure = loop_.run(entry, argument, handler, context);
  if (!failure) return;
  std::string what = failure->what + " (in the kvm world)";
  if (auto sregs = cpu_->system_registers()) {
    char registers[160];
    std::snprintf(registers, sizeof registers, "\n  cs %04x cr2 %016llx cr3 %016llx fs base %016llx",
                  sregs->cs.selector, sregs->cr2, sregs->cr3, sregs->fs.base);
    what += registers;
  }
  panic(what.c_str(), failure->frame);
}

void KvmWorld::execute(void (*fn)(void*), void* argument) {
  if (inside()) return fn(argument);
  run(
      fn, argument, [](void*, engine::FaultFrame&) { return false; }, nullptr);
}

uint64_t KvmWorld::host_call(HostFunctions::Number number, const HostFunctions::Arguments& arguments) {
  if (inside()) return ring0::host_call_out(number, arguments);
  const auto result = vm_->host_functions.call(number, arguments);
  if (!result) panic("host call of function " + std::to_string(number) + ", which there is not");
  return *result;
}

Result<bool> KvmWorld::reach(uint64_t address, uint64_t bytes) {
  if (memory().reaches(address, bytes) || host_call(reach_, {address, bytes}) != 0) return true;
  return Error{reach_error_};
}

Result<bool> KvmWorld::add_code(const void* begin, size_t bytes) {
  const uint64_t base = reinterpret_cast<uint64_t>(begin);
  bytes = round_up(bytes, ring0::kPageBytes);
  if (auto reached = reach(base, bytes); !reached) return reached;
  bool mapped = false;
  execute([&] {
    ring0::Invalidations changed;
    mapped = memory().add_code(base, bytes, changed);
    invalidate(changed);
  });
  if (!mapped) return Error{"page-table memory is used up: raise page_table_bytes"};
  return true;
}

KvmCounters KvmWorld::counters() const {
  KvmCounters result = counters_;
  result.upcalls = cpu_->frame().area().upcalls;
  return result;
}

}  // namespace crosswalk::kvm
