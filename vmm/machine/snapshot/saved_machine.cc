// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/snapshot/saved_machine.h"

#include <sys/mman.h>

#include <new>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/fp_system.h"
#include "vmm/machine/board/memory_map.h"
#include "vmm/machine/snapshot/state_json.h"

namespace crosswalk::vmm {

// Found by its argument's namespace.
template <class F>
static void fields(F&& f, Of<MachineShape> auto& s) {
  f("cpus", s.cpus), f("memory", s.memory_bytes), f("cpu_model", s.cpu_model), f("flash", s.flash);
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

struct SavedFlash {
  std::string path;  // of --pflash
  bool has_file = false, read_only = false;
  Pflash::State state;
};
template <class F>
void fields(F&& f, Of<SavedFlash> auto& s) {
  f("path", s.path), f("has_file", s.has_file), f("read_only", s.read_only), f("state", s.state);
}

struct SavedItems {
  uint64_t kernel_bytes = 0, initrd_bytes = 0;
  std::string command_line;
};
template <class F>
void fields(F&& f, Of<SavedItems> auto& s) {
  f("kernel_bytes", s.kernel_bytes), f("initrd_bytes", s.initrd_bytes), f("command_line", s.command_line);
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
  const auto is_ge_mask = [](uint32_t mask) { return mask == (mask & 0x01010101) * 0xff; };
  bool good = cpu.cpu_index == index && is_ge_mask(cpu.ge_mask) && (cpu.mxcsr >> 16) == 0 &&
              (cpu.mxcsr_standard >> 16) == 0 && cpu.fp_mode == arm::fp_mode_of(cpu);
  for (const uint8_t flag :
       {cpu.c, cpu.v, cpu.q, cpu.t, cpu.e, cpu.j, cpu.a, cpu.i, cpu.f, cpu.strict_alignment, cpu.monitor_armed})
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
    case kNet: {
      auto& network = static_cast<VirtioNet&>(*slot.device());
      const auto state = state_of<VirtioNet::State>(json, "state");
      if (!network.can_restore(state))
        throw StateError("the network card had " + std::to_string(state.all_pairs) +
                         " pairs of queues; give --net tap,ifname=NAME,queues=" + std::to_string(state.all_pairs));
      network.restore(state);
      break;
    }
    default: break;
  }
  slot.restore(transport);
}

void restore_flash(Board& board, unsigned bank, const SavedFlash& saved, std::span<const uint8_t> contents) {
  Pflash& flash = *board.flash(bank);
  const std::string name = "the flash bank " + std::to_string(bank);
  const std::string option =
      "--pflash " + saved.path + (saved.read_only ? ",readonly" : "") + ",unit=" + std::to_string(bank);
  if (saved.has_file && !flash.has_file()) throw StateError(name + " was a file; give " + option);
  if (!saved.has_file && flash.has_file())
    throw StateError(name + " was no file of --pflash; leave --pflash " + board.flash_path(bank) + " out");
  if (saved.has_file && saved.read_only != flash.read_only())
    throw StateError(name + " was " + (saved.read_only ? "" : "not ") + "read-only; give " + option);
  if (!Pflash::may_be(saved.state)) throw StateError("the state of " + name + " is impossible");
  if (!flash.restore_contents(contents, saved.state))
    throw StateError("--pflash " + board.flash_path(bank) + " has other contents than " + saved.path +
                     " had; give a copy of that file that was made then");
  flash.restore(saved.state);
}

// Memory that takes none where nothing is written.
class Scratch {
 public:
  explicit Scratch(uint64_t bytes)
      : bytes_(bytes),
        host_(bytes == 0
                  ? MAP_FAILED
                  : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (bytes != 0 && host_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~Scratch() {
    if (host_ != MAP_FAILED) munmap(host_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::span<uint8_t> bytes() const { return {static_cast<uint8_t*>(host_), host_ == MAP_FAILED ? 0 : bytes_}; }

 private:
  const uint64_t bytes_;
  void* const host_;
};

}  // namespace

std::vector<SnapshotArea> saved_areas(const SnapshotParts& parts) {
  std::vector<SnapshotArea> areas{area_of(parts.ram)};
  for (unsigned bank = 0; bank < FlashBanks::kBanks; ++bank)
    if (const Pflash* const flash = parts.board.flash(bank))
      areas.push_back({flash->contents(), parts.ram.fd, parts.ram.file_offset(bank * FlashBanks::kBankBytes)});
  for (const std::span<const uint8_t> item : {parts.board.fw_cfg().kernel(), parts.board.fw_cfg().initrd()})
    areas.push_back({{const_cast<uint8_t*>(item.data()), item.size()}});  // NOLINT: it is read
  return areas;
}

Result<std::string> save_machine(const SnapshotParts& parts, const MachineShape& shape) {
  if (parts.semihosting.has_host_files()) return Error{"the guest has a file open by semihosting"};
  if (parts.board.has_share_session())
    return Error{"the guest has a shared folder mounted, whose files cannot be saved; unmount it first"};
  const std::lock_guard lock(parts.device_lock);
  Json json{{"shape", json_of(shape)}, {"nanoseconds", parts.counter.nanoseconds()}};
  const Timers::State timers = parts.timers.save();
  std::vector<SavedCpu> cpus;
  for (const auto& cpu : parts.vcpus)
    cpus.push_back({cpu->power() != CpuPower::Off, cpu->state(), timers[cpu->state().cpu_index]});
  json["cpus"] = json_of(cpus);
  json["gic"] = json_of(parts.board.gic().save());
  json["uart"] = json_of(parts.board.uart().save());
  if (const Pl011* second = parts.board.uart(1)) json["second_uart"] = json_of(second->save());
  json["rtc"] = json_of(parts.board.rtc().save());
  json["fw_cfg"] = json_of(parts.board.fw_cfg().save());
  if (const FwCfg& items = parts.board.fw_cfg(); items.has_items())
    json["firmware_items"] = json_of(SavedItems{items.kernel().size(), items.initrd().size(), items.command_line()});
  json["gpio"] = json_of(parts.board.gpio().save());
  Json& flash = json["flash"] = Json::array();
  for (unsigned bank = 0; shape.flash && bank < FlashBanks::kBanks; ++bank) {
    const Pflash& its = *parts.board.flash(bank);
    flash.push_back(json_of(SavedFlash{parts.board.flash_path(bank), its.has_file(), its.read_only(), its.save()}));
  }
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

FirmwareItems SavedMachine::items(uint64_t ram_bytes) const {
  FirmwareItems items;
  if (!state_->json.contains("firmware_items")) return items;
  const auto saved = state_of<SavedItems>(state_->json, "firmware_items");
  if (saved.kernel_bytes > ram_bytes || saved.initrd_bytes > ram_bytes)
    throw StateError("firmware_items is impossible");
  items.kernel.resize(saved.kernel_bytes);
  items.initrd.resize(saved.initrd_bytes);
  items.command_line = saved.command_line;
  return items;
}

Result<bool> SavedMachine::restore(const SnapshotParts& parts) {
  try {
    const Json& json = state_->json;
    FirmwareItems items = this->items(parts.ram.size);
    const Scratch contents(parts.ram.flash ? FlashBanks::kBanks * FlashBanks::kBankBytes : 0);
    // Its checksum is behind memory: the rest is believed only then.
    const SnapshotArea areas[] = {area_of(parts.ram), {contents.bytes()}, {items.kernel}, {items.initrd}};
    if (auto read = file_->read_areas(areas); !read) return read;
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
    if (json.contains("second_uart") != (parts.board.uart(1) != nullptr))
      throw StateError(parts.board.uart(1) ? "its machine has one serial port; give --serial once"
                                           : "its machine has two serial ports; give --serial twice");
    if (Pl011* second = parts.board.uart(1)) second->restore(state_of<Pl011::State>(json, "second_uart"));
    parts.board.rtc().restore(state_of<Pl031::State>(json, "rtc"));
    if (json.contains("firmware_items")) parts.board.fw_cfg().set_items(std::move(items));
    const auto fw_cfg = state_of<FwCfg::State>(json, "fw_cfg");
    if (!parts.board.fw_cfg().may_be(fw_cfg)) throw StateError("fw_cfg's position is beyond its item");
    parts.board.fw_cfg().restore(fw_cfg);
    parts.board.gpio().restore(state_of<Pl061::State>(json, "gpio"));
    const auto flash = state_of<std::vector<SavedFlash>>(json, "flash");
    if (flash.size() != (parts.ram.flash ? FlashBanks::kBanks : 0)) throw StateError("its flash has another shape");
    for (unsigned bank = 0; bank < flash.size(); ++bank)
      restore_flash(parts.board, bank, flash[bank],
                    contents.bytes().subspan(bank * FlashBanks::kBankBytes, FlashBanks::kBankBytes));
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
