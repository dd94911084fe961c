// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/snapshot/saved_machine.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "vmm/machine/board/memory_map.h"
#include "vmm/machine/snapshot/state_json.h"

namespace crosswalk::vmm {

// Found by its argument's namespace.
template <class F>
static void fields(F&& f, Of<MachineShape> auto& s) {
  f("cpus", s.cpus), f("memory", s.memory_bytes), f("cpu_model", s.cpu_model);
}

namespace {

// virtio 1.1, 5.
enum VirtioId : uint32_t { kNone = 0, kNet = 1, kBlock = 2, kConsole = 3, kEntropy = 4, kShare = 9 };

struct SavedCpu {
  bool on = false;
  GuestCpu registers{};
  Timers::CpuTimerState timers;
};
template <class F>
void fields(F&& f, Of<SavedCpu> auto& s) {
  f("on", s.on), f("registers", s.registers), f("timers", s.timers);
}

template <class T>
Json json_of(const T& value) {
  Json json;
  to_state_json(json, value);
  return json;
}

template <class T>
T state_of(const Json& json, const char* name) {
  T value{};
  const auto found = json.find(name);
  if (found == json.end()) throw StateError(std::string(name) + " is missing");
  from_state_json(*found, value, name);
  return value;
}

// Translated code relies on it.
void check(const GuestCpu& cpu, unsigned index) {
  const auto is_flag = [](uint8_t value) { return value <= 1; };
  bool good = cpu.cpu_index == index && cpu.ge <= 15 && (cpu.mxcsr >> 16) == 0 && (cpu.mxcsr_standard >> 16) == 0;
  for (const uint8_t flag : {cpu.c, cpu.v, cpu.q, cpu.t, cpu.e, cpu.j, cpu.a, cpu.i, cpu.f, cpu.fp_enabled,
                             cpu.simd_enabled, cpu.strict_alignment, cpu.monitor_armed})
    good = good && is_flag(flag);
  switch (static_cast<Mode>(cpu.mode)) {
    case Mode::User:
    case Mode::Fiq:
    case Mode::Irq:
    case Mode::Supervisor:
    case Mode::Monitor:
    case Mode::Abort:
    case Mode::Hyp:
    case Mode::Undefined:
    case Mode::System: break;
    default: good = false;
  }
  if (!good) throw StateError("the registers of CPU " + std::to_string(index) + " are impossible");
}

Json save_slot(VirtioMmio& slot) {
  VirtioDevice* const device = slot.device();
  if (!device) return nullptr;
  Json json{{"device", device->device_id()}, {"transport", json_of(slot.save())}};
  switch (device->device_id()) {
    case kBlock:
      json["state"] = json_of(static_cast<VirtioBlock*>(device)->save());
      json["disk"] = json_of(static_cast<VirtioBlock*>(device)->identity());
      break;
    case kConsole: json["state"] = json_of(static_cast<VirtioConsole*>(device)->save()); break;
    case kNet: json["state"] = json_of(static_cast<VirtioNet*>(device)->save()); break;
    default: break;
  }
  return json;
}

void check_disk(VirtioBlock& block, const VirtioBlock::Identity& saved) {
  const VirtioBlock::Identity now = block.identity();
  if (now.sectors != saved.sectors)
    throw StateError("--disk " + now.path + " has another size than " + saved.path + " had; give that disk");
  if (now.changed != saved.changed)
    throw StateError("--disk " + now.path + " was written to after the snapshot; give a copy of " + saved.path +
                     " that was made then (cp -p)");
}

const char* what_is(uint32_t device) {
  switch (device) {
    case kNone: return "nothing";
    case kNet: return "a network card";
    case kBlock: return "a disk";
    case kConsole: return "a console";
    case kEntropy: return "a source of entropy";
    case kShare: return "a shared folder";
    default: return "another device";
  }
}

void restore_slot(VirtioMmio& slot, unsigned index, const Json& json) {
  const uint32_t now = slot.device() ? slot.device()->device_id() : 0,
                 saved = json.is_null() ? 0 : json.at("device").get<uint32_t>();
  if (now != saved) {
    throw StateError(std::string("virtio slot ") + std::to_string(index) + " has " + what_is(now) + ", and had " +
                     what_is(saved) + "; give the options for devices that the guest was started with");
  }
  if (!slot.device()) return;
  const auto transport = state_of<VirtioMmio::State>(json, "transport");
  if (!slot.can_restore(transport))
    throw StateError(std::string(what_is(now)) +
                     " lacks features that the guest uses; give the options for it that "
                     "the guest was started with");
  switch (saved) {
    case kBlock: {
      auto& block = static_cast<VirtioBlock&>(*slot.device());
      check_disk(block, state_of<VirtioBlock::Identity>(json, "disk"));
      block.restore(state_of<VirtioBlock::State>(json, "state"));
      break;
    }
    case kConsole:
      static_cast<VirtioConsole&>(*slot.device()).restore(state_of<VirtioConsole::State>(json, "state"));
      break;
    case kNet: static_cast<VirtioNet&>(*slot.device()).restore(state_of<VirtioNet::State>(json, "state")); break;
    default: break;
  }
  slot.restore(transport);
}

}  // namespace

Result<std::string> save_machine(const SnapshotParts& parts, const MachineShape& shape) {
  if (parts.semihosting.has_host_files()) return Error{"the guest has a file open by semihosting"};
  if (parts.board.has_share_session())
    return Error{"the guest has a shared folder mounted, whose files cannot be saved; unmount it first"};
  if (parts.ram.flash) return Error{"the machine has flash (--bios, --pflash), which no snapshot holds"};
  const std::lock_guard lock(parts.device_lock);
  Json json{{"shape", json_of(shape)}, {"nanoseconds", parts.counter.nanoseconds()}};
  const Timers::State timers = parts.timers.save();
  std::vector<SavedCpu> cpus;
  for (const auto& cpu : parts.vcpus)
    cpus.push_back({cpu->power() != CpuPower::Off, cpu->state(), timers[cpu->state().cpu_index]});
  json["cpus"] = json_of(cpus);
  json["gic"] = json_of(parts.board.gic().save());
  json["uart"] = json_of(parts.board.uart().save());
  json["rtc"] = json_of(parts.board.rtc().save());
  json["fw_cfg"] = json_of(parts.board.fw_cfg().save());
  json["gpio"] = json_of(parts.board.gpio().save());
  json["semihosting"] = json_of(parts.semihosting.save());
  Json& slots = json["virtio"] = Json::array();
  for (unsigned slot = 0; slot < kVirtioSlots; ++slot) slots.push_back(save_slot(parts.board.virtio_slot(slot)));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// ---- restoring

struct SavedMachine::State {
  Json json;
};

SavedMachine::SavedMachine(std::string name, std::unique_ptr<SnapshotReader> file)
    : name_(std::move(name)), file_(std::move(file)), state_(std::make_unique<State>()) {}
SavedMachine::~SavedMachine() = default;

Result<std::unique_ptr<SavedMachine>> SavedMachine::open(const std::string& option, const std::string& path) {
  auto file = SnapshotReader::open(option, path);
  if (!file) return file.take_error();
  std::unique_ptr<SavedMachine> saved(new SavedMachine(option + " '" + path + "'", std::move(*file)));
  if (auto parsed = saved->parse(); !parsed) return parsed.take_error();
  return saved;
}

Result<bool> SavedMachine::parse() {
  try {
    state_->json = Json::parse(file_->state());
    shape_ = state_of<MachineShape>(state_->json, "shape");
    return true;
  } catch (const std::exception& problem) {
    return Error{name_ + ": the snapshot is damaged: " + problem.what()};
  }
}

Result<bool> SavedMachine::restore(const SnapshotParts& parts) {
  // Its checksum is behind RAM: the rest is believed only then.
  if (auto read = file_->read_ram(parts.ram); !read) return read;
  try {
    const Json& json = state_->json;
    const auto cpus = state_of<std::vector<SavedCpu>>(json, "cpus");
    const Json& slots = json.at("virtio");
    if (cpus.size() != parts.vcpus.count() || slots.size() != kVirtioSlots)
      throw StateError("its machine has another shape");
    const std::lock_guard lock(parts.device_lock);
    parts.counter.restore(state_of<uint64_t>(json, "nanoseconds"));
    Timers::State timers;
    for (unsigned i = 0; i < cpus.size(); ++i) {
      check(cpus[i].registers, i);
      static_cast<GuestCpu&>(parts.vcpus[i].state()) = cpus[i].registers;
      parts.vcpus[i].restore_power(cpus[i].on);
      timers.push_back(cpus[i].timers);
    }
    parts.board.gic().restore(state_of<GicV2::State>(json, "gic"));
    parts.board.uart().restore(state_of<Pl011::State>(json, "uart"));
    parts.board.rtc().restore(state_of<Pl031::State>(json, "rtc"));
    const auto fw_cfg = state_of<FwCfg::State>(json, "fw_cfg");
    if (!parts.board.fw_cfg().may_be(fw_cfg)) throw StateError("fw_cfg's position is beyond its item");
    parts.board.fw_cfg().restore(fw_cfg);
    parts.board.gpio().restore(state_of<Pl061::State>(json, "gpio"));
    parts.semihosting.restore(state_of<Semihosting::State>(json, "semihosting"));
    // Disks come first, so that an error is about what the user gave.
    for (unsigned slot = kVirtioSlots; slot-- > 0;) restore_slot(parts.board.virtio_slot(slot), slot, slots[slot]);
    parts.timers.restore(timers);
    return true;
  } catch (const std::exception& problem) {
    return Error{name_ + ": " + problem.what()};
  }
}

}  // namespace crosswalk::vmm
