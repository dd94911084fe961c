// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/machine.h"

#include <signal.h>
#include <sys/prctl.h>

#include <chrono>

#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

// How long a stopping machine waits for an I/O thread that makes no progress.
constexpr std::chrono::milliseconds kIoPatience{500};
constexpr int kLastWriteMilliseconds = 100;  // how long standard output may take nothing then

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config) {
  if (config.cpus < 1 || config.cpus > GicV2::kMaxCpus) {
    return Error{"a machine has 1 to " + std::to_string(GicV2::kMaxCpus) + " CPUs, and cannot have " +
                 std::to_string(config.cpus)};
  }
  auto memory = GuestMemory::allocate(config.memory_bytes, config.shared_ram);
  if (!memory) return memory.take_error();
  std::unique_ptr<Machine> machine(new Machine(config, std::move(*memory)));
  if (auto made = machine->make_board(); !made) return made.take_error();
  if (auto opened = machine->semihosting_.open_files(); !opened) return opened.take_error();
  if (auto opened = machine->io_.open(); !opened) return opened.take_error();
  if (auto opened = machine->control_.open(config.catch_signals); !opened) return opened.take_error();
  return machine;
}

Machine::Machine(const MachineConfig& config, GuestMemory memory)
    : config_(config),
      memory_(std::move(memory)),
      vcpus_(config.cpus),
      console_(config.input_fd, config.output_fd, config.escape_keys, config.escape_key),
      stop_([this](bool first) { stop_everyone(first); }),
      rendezvous_(config.cpus, [this](unsigned cpu) { vcpus_[cpu].raise(kLineWork); }),
      completions_(device_lock_, vcpus_, rendezvous_, stop_),
      timers_(counter_, device_lock_, vcpus_,
              {config.timeout_seconds, config.poll_seconds, [this] { stop_.request(StopReason::Timeout); }}),
      reporter_(vcpus_, rendezvous_, counter_, completions_, console_),
      io_(console_, device_lock_, [this] { board_->output_drained(); }),
      run_control_(stop_, reporter_, io_, {config.error_fd, config.before_exit, config.continued}),
      control_(console_, io_.console(), run_control_),
      semihosting_console_(device_lock_, console_, stop_, config.error_fd),
      semihosting_(config.semihosting, memory_.ram(), counter_, semihosting_console_) {
  console_.output.set_notifier(&io_.console());
  console_.input.set_notifier(&control_);
}

Result<bool> Machine::make_board() {
  auto made = Board::create({device_lock_, memory_.ram(), console_.output, vcpus_, timers_, completions_, io_},
                            {config_.cpus, config_.disks, config_.virtio_console, config_.network});
  if (!made) return made.take_error();
  board_ = std::move(*made);
  timers_.attach(board_->gic(), board_->rtc());
  semihosting_console_.attach(*board_);
  platform_ = std::make_unique<MachinePlatform>(PlatformPorts{device_lock_, vcpus_, *board_, console_.output, counter_,
                                                              timers_, rendezvous_, stop_, semihosting_});
  return true;
}

Machine::~Machine() {
  control_.stop();
  if (!shutdown()) io_.join();
}

Result<bool> Machine::load(const BootConfig& config) {
  BootConfig with_cpus = config;
  with_cpus.cpus = config_.cpus;
  auto boot = load_guest(memory_.ram(), with_cpus);
  if (!boot) return boot.take_error();
  boot_ = *boot;
  semihosting_.set_image_end(boot_.image_end);
  return true;
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
}

void Machine::run_cpu(unsigned index, const std::function<void(bool)>& run) {
  Vcpu& cpu = vcpus_[index];
  vmm::run_cpu(cpu, rendezvous_, stop_, [&](bool reset) {
    if (reset) timers_.changed(cpu.state());
    const uint64_t start = counter_.read();
    run(reset);
    cpu.counters().on_ticks += counter_.read() - start;
  });
}

bool Machine::shutdown() {
  reporter_.left_guest();
  if (!running_) return true;
  console_.output.close();
  timers_.stop();
  if (!io_.finish(kIoPatience)) {
    console_.output.write_rest(kLastWriteMilliseconds);
    return false;
  }
  io_.join();
  running_ = false;
  return true;
}

void Machine::stop_everyone(bool first) {
  console_.output.close();
  board_->stop();
  for (const auto& cpu : vcpus_) cpu->stop(first);
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
