// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/machine.h"

#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>

#include "translator/arm32/cpu/reset.h"
#include "vmm/base/patient_write.h"
#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

// How long a stopping machine waits for an I/O thread that makes no progress.
constexpr std::chrono::milliseconds kIoPatience{500};
constexpr int kLastWriteMilliseconds = 100;  // how long standard output may take nothing then
constexpr int kErrorMilliseconds = 100;      // the same of standard error

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config) {
  if (config.cpus < 1 || config.cpus > GicV2::kMaxCpus) {
    return Error{"a machine has 1 to " + std::to_string(GicV2::kMaxCpus) + " CPUs, and cannot have " +
                 std::to_string(config.cpus)};
  }
  auto memory = GuestMemory::allocate(config.memory_bytes, config.shared_ram, config.has_flash);
  if (!memory) return memory.take_error();
  std::unique_ptr<Machine> machine(new Machine(config, std::move(*memory)));
  if (auto made = machine->make_board(); !made) return made.take_error();
  if (auto made = machine->make_monitor(); !made) return made.take_error();
  if (auto opened = machine->semihosting_.open_files(); !opened) return opened.take_error();
  if (auto opened = machine->io_.open(); !opened) return opened.take_error();
  if (machine->debugger_) {
    if (auto opened = machine->debugger_->open(); !opened) return opened.take_error();
  }
  if (auto opened = machine->control_.open(config.catch_signals, config.power_button_by_signal); !opened)
    return opened.take_error();
  return machine;
}

Machine::Machine(const MachineConfig& config, GuestMemory memory)
    : config_(config),
      memory_(std::move(memory)),
      vcpus_(config.cpus),
      console_(config.input_fd, config.output_fd, config.escape_keys, config.escape_key),
      second_port_(config.second_port
                       ? std::make_unique<Console>(config.second_port->input_fd, config.second_port->output_fd,
                                                   config.second_port->escape_keys, config.escape_key)
                       : nullptr),
      stop_([this](bool first) { stop_everyone(first); }),
      rendezvous_(config.cpus, [this](unsigned cpu) { vcpus_[cpu].raise(kLineWork); }),
      holds_(vcpus_, rendezvous_),
      completions_(device_lock_, vcpus_, rendezvous_, stop_),
      timers_(counter_, device_lock_, vcpus_,
              {config.timeout_seconds, config.poll_seconds, [this] { stop_.request(StopReason::Timeout); }}),
      reporter_(vcpus_, rendezvous_, counter_, completions_, console_),
      io_(console_, device_lock_, [this](unsigned port) { board_->output_drained(port); }),
      run_control_(stop_, reporter_, io_,
                   {config.error_fd, config.before_exit, config.continued, [this] { snapshot_requested(); },
                    [this](unsigned port) { send_break(port); }}),
      control_(console_, io_.console(), run_control_),
      reset_gate_(
          config.cpus, [this] { reset(); },
          [this] {
            for (const auto& cpu : vcpus_) cpu->raise(kLineStop);
          }),
      semihosting_console_(device_lock_, console_, stop_, config.error_fd),
      semihosting_(config.semihosting, memory_.ram(), counter_, semihosting_console_) {
  if (config_.debugger) {
    debugger_ = std::make_unique<Debugger>(*config_.debugger, DebugPorts{device_lock_, vcpus_, rendezvous_, holds_,
                                                                         timers_, reporter_, stop_, memory_.ram()});
  }
  console_.output.set_notifier(&io_.console());
  console_.input.set_notifier(&control_);
  if (!second_port_) return;
  io_.add_second_port(*second_port_);
  control_.add_port(*second_port_, io_.console(1));
  second_port_->output.set_notifier(&io_.console(1));
  second_port_->input.set_notifier(&control_);
}

Result<bool> Machine::make_board() {
  auto made = Board::create({device_lock_, memory_.ram(), console_outputs(), vcpus_, timers_, completions_, io_},
                            {config_.cpus,
                             config_.disks,
                             config_.virtio_console,
                             config_.network,
                             config_.shares,
                             {config_.flash[0], config_.flash[1]}});
  if (!made) return made.take_error();
  board_ = std::move(*made);
  timers_.attach(board_->gic(), board_->rtc());
  semihosting_console_.attach(*board_);
  platform_ = std::make_unique<MachinePlatform>(
      PlatformPorts{device_lock_, vcpus_, *board_, console_outputs(), counter_, timers_, rendezvous_, holds_, stop_,
                    config_.reboots ? &reset_gate_ : nullptr, semihosting_, debugger_ ? &debugger_->stops() : nullptr});
  if (debugger_) debugger_->attach(*platform_);
  return true;
}

Result<bool> Machine::make_monitor() {
  if (!config_.monitor_files || !config_.monitor_files->any()) return true;
  monitor_ = std::make_unique<Monitor>(
      *config_.monitor_files, MonitorPorts{{device_lock_, console_outputs(), io_, holds_, completions_, timers_},
                                           stop_,
                                           reporter_,
                                           config_.cpus,
                                           config_.version,
                                           [this](int fd) { return write_snapshot(fd); },
                                           [this] { return request_reset(); },
                                           [this] { send_break(0); },
                                           [this] { press_power_button(); },
                                           [this](const std::string& line) {
                                             print_error(config_.error_fd, line + "\n", kErrorMilliseconds);
                                           }});
  return monitor_->open();
}

Machine::~Machine() {
  control_.stop();
  if (!shutdown()) io_.join();
}

Result<bool> Machine::load(const BootConfig& config) {
  BootConfig described = config;
  described.cpus = config_.cpus;
  described.second_uart = config_.second_port.has_value();
  described.firmware = config_.has_flash && !config_.flash[0].path.empty();
  if (described.firmware) {
    auto items = read_firmware_items(described, memory_.ram().size);
    if (!items) return items.take_error();
    board_->fw_cfg().set_items(std::move(*items));
  }
  auto boot = load_guest(memory_.ram(), described);
  if (!boot) return boot.take_error();
  boot_ = *boot;
  semihosting_.set_image_end(boot_.image_end);
  if (!config_.reboots && !monitor_) return true;
  for (const auto& [start, end] :
       {std::pair{boot_.image_start, boot_.image_end}, std::pair{boot_.initrd_start, boot_.initrd_end},
        std::pair{boot_.dtb_start, boot_.dtb_end}}) {
    const uint8_t* const bytes = memory_.ram().at(start);
    if (start != end) boot_images_.push_back({start, {bytes, bytes + (end - start)}});
  }
  return true;
}

Result<bool> Machine::restore(SavedMachine& saved) {
  if (auto done = saved.restore(snapshot_parts()); !done) return done;
  restored_ = true;
  return true;
}

SnapshotParts Machine::snapshot_parts() {
  return {device_lock_, memory_.ram(), vcpus_, *board_, counter_, timers_, semihosting_};
}

Result<uint64_t> Machine::write_snapshot(int fd) {
  const MachineShape shape{config_.cpus, config_.memory_bytes, config_.cpu_model, config_.has_flash};
  auto state = save_machine(snapshot_parts(), shape);
  if (!state) return state.take_error();
  return SnapshotWriter(fd, [this] { return stop_.stopping(); }).write(*state, saved_areas(snapshot_parts()));
}

void Machine::snapshot_requested() {
  if (monitor_)
    monitor_->request_snapshot();
  else
    print_error(config_.error_fd, "crosswalk: no snapshot: start with --snapshot-file FILE\n", kErrorMilliseconds);
}

void Machine::send_break(unsigned port) {
  const std::lock_guard lock(device_lock_);
  board_->uart(port)->input_break();
}

Result<bool> Machine::request_reset() {
  if (restored_) return Error{"the machine was restored from a snapshot, and has nothing to boot"};
  reset_gate_.request();
  return true;
}

// As the power-on state, but for the contents of RAM that nothing was loaded into, and time. No CPU
// is in the guest.
void Machine::reset() {
  for (const auto& cpu : vcpus_) {
    arm::reset_again(cpu->state());
    cpu->restore_power(cpu->state().cpu_index == 0);
    cpu->lower(kLineStop);
  }
  // Who asked for the end meanwhile has said so before.
  if (stop_.stopping()) return;
  set_boot_registers(vcpus_[0].state());
  semihosting_.restore({boot_.image_end, {}, 0});
  {
    const std::lock_guard lock(device_lock_);
    board_->reset();
  }
  for (const BootImage& image : boot_images_) std::ranges::copy(image.bytes, memory_.ram().at(image.pa));
  for (const auto& cpu : vcpus_) timers_.changed(cpu->state());
}

void Machine::set_boot_registers(CpuState& cpu) const {
  cpu.r[0] = boot_.r0;
  cpu.r[1] = boot_.r1;
  cpu.r[2] = boot_.r2;
  cpu.r[15] = boot_.pc;
  cpu.t = boot_.thumb;
}

std::span<const uint8_t> Machine::device_tree() const {
  if (boot_.dtb_start == boot_.dtb_end) return {};
  return {memory_.ram().at(boot_.dtb_start), boot_.dtb_end - boot_.dtb_start};
}

void Machine::set_engine(EnginePort* engine) {
  completions_.set_engine(engine);
  reporter_.set_engine(engine);
  semihosting_.set_engine(engine);
  if (debugger_) debugger_->set_engine(engine);
  platform_->set_engine(engine);
}

void Machine::start() {
  if (running_) return;
  running_ = true;
  // Threads inherit the mask, so only the control thread gets these signals.
  if (config_.catch_signals) {
    ControlThread::block_signals();
    signal(SIGPIPE, SIG_IGN);
  }
  // Short sleeps of WFI are guest timers; the default slack is 50 us.
  prctl(PR_SET_TIMERSLACK, 1);
  timers_.start(config_.sandbox);
  io_.start(config_.sandbox);
  control_.start(config_.sandbox);
  if (monitor_) monitor_->start(config_.sandbox, config_.waits);
  if (debugger_) debugger_->start(config_.sandbox);
}

void Machine::run_cpu(unsigned index, const std::function<void(CpuStart)>& run) {
  Vcpu& cpu = vcpus_[index];
  const CpuStart first = restored_ ? CpuStart::PoweredOn : CpuStart::AsBefore;
  vmm::run_cpu(cpu, first, rendezvous_, holds_, reset_gate_, stop_, [&](CpuStart how) {
    if (how != CpuStart::AsBefore) timers_.changed(cpu.state());
    holds_.begin(cpu.state());
    if (debugger_) debugger_->stops().begin(cpu.state(), how != CpuStart::AsBefore);
    const uint64_t start = counter_.read();
    run(how);
    cpu.counters().on_ticks += counter_.read() - start;
  });
}

bool Machine::shutdown() {
  reporter_.left_guest();
  if (!running_) return true;
  for (ConsoleOutput* const output : console_outputs())
    if (output) output->close();
  if (monitor_) monitor_->stop();
  timers_.stop();
  if (debugger_) debugger_->finish();
  if (!io_.finish(kIoPatience)) {
    for (ConsoleOutput* const output : console_outputs())
      if (output) output->write_rest(kLastWriteMilliseconds);
    return false;
  }
  io_.join();
  running_ = false;
  return true;
}

void Machine::stop_everyone(bool first) {
  for (ConsoleOutput* const output : console_outputs())
    if (output) output->close();
  board_->stop();
  for (const auto& cpu : vcpus_) cpu->stop(first);
  reset_gate_.open();
  if (monitor_) monitor_->notify();
  control_.notify(true);
}

MachineCounters Machine::counters() const {
  return {
      vcpus_.totals(), counter_.read(),         completions_.published(), timers_.wakes(), counter_.discontinuities(),
      io_.wakes(),     console_.output.bytes(), console_.input.bytes()};
}

void Machine::add_statistics(StatisticsTable& table) const {
  table.add("machine", kMachineCounters, counters(), static_cast<double>(kCounterFrequency));
  board_->add_statistics(table);
}

}  // namespace crosswalk::vmm
