// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/machine.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "translator/arm32/cpu/trace.h"
#include "vmm/base/futex.h"
#include "vmm/base/patient_write.h"
#include "vmm/base/statistics.h"
#include "vmm/devices/virtio_block.h"
#include "vmm/devices/virtio_rng.h"

namespace crosswalk::vmm {
namespace {

// How long a stopping machine waits for an I/O thread that makes no progress, and a CPU has to tell its state.
constexpr std::chrono::milliseconds kIoPatience{500}, kStatePatience{200};
constexpr std::chrono::milliseconds kLastFlush{100};  // for output, when a CPU did not stop
// How long standard error may take nothing.
constexpr int kErrorMilliseconds = 100;

static_assert(kGicCpuInterfaceBase == kGicDistributorBase + GicV2::kRegionBytes);
constexpr uint64_t kGicBytes = 2 * GicV2::kRegionBytes;

// How often the host's clocks are looked at: the TSC may restart, and the wall clock be set.
constexpr uint64_t kClockCheckTicks = kCounterFrequency;

uint64_t ticks_of(double seconds) { return static_cast<uint64_t>(seconds * static_cast<double>(kCounterFrequency)); }

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config) {
  auto memory = GuestMemory::allocate(config.memory_bytes, config.shared_ram);
  if (!memory) return memory.take_error();
  std::unique_ptr<Machine> machine(new Machine(config, std::move(*memory)));
  if (auto added = machine->add_virtio_devices(config); !added) return added.take_error();
  if (auto mapped = machine->map_devices(); !mapped) return mapped.take_error();
  if (auto opened = machine->semihosting_.open_files(); !opened) return opened.take_error();
  return machine;
}

Machine::Machine(const MachineConfig& config, GuestMemory memory)
    : config_(config),
      memory_(std::move(memory)),
      gic_(kCpus, *this),
      console_(config.input_fd, config.output_fd, config.escape_keys),
      io_(console_, device_lock_, *this),
      control_(console_, io_, *this),
      timer_thread_(counter_, *this),
      uart_(console_, gic_, kFirstSpi + kUartSpi),
      rtc_(*this, gic_, kFirstSpi + kRtcSpi),
      semihosting_(config.semihosting, memory_.ram(), counter_, *this),
      rendezvous_(kCpus, [this](unsigned cpu) { raise(*cpus_[cpu], kLineWork); }) {
  for (unsigned i = 0; i < kCpus; ++i) {
    cpus_.push_back(std::make_unique<CpuState>());
    cpus_.back()->cpu_index = i;
  }
  console_.set_notifier(&io_);
  console_.set_input_notifier(&control_);
  uart_.set_notifier(&io_);
}

Machine::~Machine() {
  control_.stop();
  if (!shutdown()) io_.join();
}

// Disks take the last slots, the first disk the lowest of them: one disk is where QEMU has it, and Linux, which probes
// upwards, calls the first one vda. The entropy source comes below, and then the console.
Result<bool> Machine::add_virtio_devices(const MachineConfig& config) {
  if (config.disks.size() > kVirtioSlots - 2) {
    return Error{"--disk: at most " + std::to_string(kVirtioSlots - 2) + " disks fit; give fewer"};
  }
  const VirtioContext context{device_lock_, memory_.ram(), gic_, io_, *this};
  const unsigned first_disk = kVirtioSlots - static_cast<unsigned>(config.disks.size());
  for (unsigned slot = 0; slot < kVirtioSlots; ++slot) {
    std::unique_ptr<VirtioDevice> device;
    if (slot >= first_disk) {
      const DiskConfig& disk = config.disks[slot - first_disk];
      auto opened = VirtioBlock::open(disk.path, disk.read_only, disk.any_format);
      if (!opened) return opened.take_error();
      device = std::move(*opened);
    } else if (slot == first_disk - 1) {
      device = std::make_unique<VirtioRng>();
    } else if (slot == first_disk - 2 && config.virtio_console) {
      auto console = std::make_unique<VirtioConsole>(console_);
      virtio_console_ = console.get();
      device = std::move(console);
    }
    const bool present = device != nullptr;
    virtio_.push_back(std::make_unique<VirtioMmio>(context, kFirstSpi + kVirtioFirstSpi + slot, std::move(device)));
    if (present) io_.add_worker(*virtio_.back());
  }
  if (virtio_console_) virtio_console_->set_transport(virtio_[first_disk - 2].get());
  io_.set_input_sink(virtio_console_ ? static_cast<InputSink*>(virtio_console_) : &uart_);
  return true;
}

Result<bool> Machine::map_devices() {
  bool mapped = bus_.add(kGicDistributorBase, GicV2::kRegionBytes, gic_.distributor()) &&
                bus_.add(kGicCpuInterfaceBase, GicV2::kRegionBytes, gic_.cpu_interface()) &&
                bus_.add(kUartBase, Pl011::kRegionBytes, uart_) && bus_.add(kRtcBase, Pl031::kRegionBytes, rtc_);
  for (unsigned slot = 0; slot < kVirtioSlots; ++slot) {
    mapped = mapped && bus_.add(kVirtioBase + slot * kVirtioStride, VirtioMmio::kRegionBytes, *virtio_[slot]);
  }
  if (!mapped) return Error{"the board's memory map has overlapping devices"};
  return true;
}

Result<bool> Machine::load(const BootConfig& config) {
  auto boot = load_guest(memory_.ram(), config);
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

void Machine::set_engine(EnginePort* engine) {
  engine_ = engine;
  semihosting_.set_engine(engine);
}

void Machine::start() {
  if (running_) return;
  running_ = true;
  // Threads inherit the mask, so only the control thread's signalfd sees these signals.
  if (config_.catch_signals) {
    ControlThread::block_signals();
    signal(SIGPIPE, SIG_IGN);
  }
  // Short sleeps of WFI are guest timers; the default slack is 50 us.
  prctl(PR_SET_TIMERSLACK, 1);
  if (config_.timeout_seconds > 0) timeout_at_ = counter_.read() + ticks_of(config_.timeout_seconds);
  if (config_.poll_seconds > 0) poll_at_ = counter_.read() + ticks_of(config_.poll_seconds);
  timer_thread_.start(config_.sandbox);
  io_.start(config_.sandbox);
  control_.start(config_.catch_signals, config_.sandbox);
  const std::lock_guard lock(device_lock_);
  rearm();
}

bool Machine::shutdown() {
  {
    const std::lock_guard lock(state_lock_);
    left_guest_ = true;
  }
  rendezvous_.close();
  if (!running_) return true;
  console_.close();
  timer_thread_.stop();
  if (!io_.finish(kIoPatience)) {
    console_.write_rest(kErrorMilliseconds);
    return false;
  }
  io_.join();
  running_ = false;
  return true;
}

void Machine::request_stop(StopReason reason, int code) {
  uint64_t none = 0;
  const uint64_t wanted = static_cast<uint64_t>(reason) | uint64_t{static_cast<uint32_t>(code)} << 32;
  const Sleep sleep = waiting_[0].load();
  if (stop_.compare_exchange_strong(none, wanted)) sleep_at_stop_.store(sleep);
  console_.close();
  for (auto& slot : virtio_) slot->stop();
  for (auto& cpu : cpus_) raise(*cpu, kLineStop);
  control_.notify(true);
}

StopState Machine::stop_state() const {
  const uint64_t state = stop_.load();
  return {static_cast<StopReason>(state & 0xff), static_cast<int>(state >> 32)};
}

void Machine::raise(CpuState& cpu, uint32_t line) {
  raise_line(cpu, line);
  if (waiting_[cpu.cpu_index].load() != Sleep::Awake) futex_wake(&cpu.interrupt_lines);
}

void Machine::set_cpu_line(unsigned cpu, uint32_t line, bool level) {
  if (level)
    raise(*cpus_[cpu], line);
  else
    lower_line(*cpus_[cpu], line);
}

bool Machine::mmio_read(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t& value) {
  const uint64_t start = trace::begin(cpu.trace);
  const std::lock_guard lock(device_lock_);
  ++mmio_reads_;
  // What the CPU reads of the GIC must not depend on how soon the timer thread runs.
  if (pa - kGicDistributorBase < kGicBytes && counter_.read() >= timers_[cpu.cpu_index].deadline) {
    update_timers(cpu.cpu_index);
  }
  const bool answered = bus_.read(cpu.cpu_index, pa, bytes, value);
  mmio_unassigned_ += !answered;
  trace::end(cpu.trace, trace::Kind::DeviceRead, start, pa, value, bytes, !answered);
  return answered;
}

bool Machine::mmio_write(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t value) {
  const uint64_t start = trace::begin(cpu.trace);
  bool answered;
  {
    const std::lock_guard lock(device_lock_);
    ++mmio_writes_;
    answered = bus_.write(cpu.cpu_index, pa, bytes, value);
    mmio_unassigned_ += !answered;
  }
  if (!console_.has_room()) console_.wait_for_room();
  trace::end(cpu.trace, trace::Kind::DeviceWrite, start, pa, value, bytes, !answered);
  return answered;
}

bool Machine::firmware_call(CpuState& cpu) {
  ++firmware_calls_;
  return psci_call(*this, cpu);
}

bool Machine::semihosting(CpuState& cpu) {
  if (!semihosting_.enabled()) return false;
  semihosting_.call(cpu);
  return true;
}

void Machine::cpu_off(CpuState& cpu) {
  // There is no other CPU that could switch this one on again: only the machine's stop ends it.
  std::atomic_ref<uint32_t> lines(cpu.interrupt_lines);
  waiting_[cpu.cpu_index].store(Sleep::Off);
  while (!stopping()) {
    const uint32_t seen = lines.load();
    if (!(seen & kLineStop)) futex_wait(&cpu.interrupt_lines, seen, 100'000'000);
  }
  waiting_[cpu.cpu_index].store(Sleep::Awake);
}

void Machine::wait_for_interrupt(CpuState& cpu) {
  std::atomic_ref<uint32_t> lines(cpu.interrupt_lines);
  if (lines.load() != 0) return;
  const unsigned index = cpu.cpu_index;
  const uint64_t traced = trace::begin(cpu.trace);
  const uint64_t start = counter_.read();
  uint64_t deadline;
  {
    const std::lock_guard lock(device_lock_);
    update_timers(index);
    deadline = timers_[index].deadline;
  }
  waiting_[index].store(Sleep::WaitForInterrupt);
  // Either this sees the line, or whoever raises it sees `waiting_`.
  if (lines.load() == 0) {
    const bool forever = deadline - start > kCounterFrequency * 3600;
    futex_wait(&cpu.interrupt_lines, 0, forever ? -1 : static_cast<int64_t>((deadline - start) * kNanosecondsPerTick));
  }
  waiting_[index].store(Sleep::Awake);
  const uint64_t end = counter_.read();
  ++waits_;
  wait_ticks_ += end - start;
  if (end >= deadline) {
    const std::lock_guard lock(device_lock_);
    update_timers(index);
  }
  trace::end(cpu.trace, trace::Kind::Wait, traced, cpu.r[15]);
}

// Precondition: the device lock is held.
void Machine::update_timers(unsigned cpu) { update_timers(cpu, counter_.read()); }

void Machine::update_timers(unsigned cpu, uint64_t now) {
  Timers& timers = timers_[cpu];
  const arm::TimerOutputs outputs = arm::evaluate_timers(timers.registers, now);
  timers.deadline.store(outputs.next_deadline.value_or(kNoDeadline), std::memory_order_relaxed);
  gic_.set_private_interrupt(cpu, kVirtualTimerInterrupt, outputs.virtual_timer);
  gic_.set_private_interrupt(cpu, kPhysicalTimerInterrupt, outputs.physical);
  gic_.set_private_interrupt(cpu, kPerformanceInterrupt, outputs.overflow);
}

uint64_t Machine::counter_for(CpuState& cpu) {
  Timers& timers = timers_[cpu.cpu_index];
  // However the host's TSCs differ, a CPU never sees the counter go back.
  const uint64_t now = timers.seen = std::max(timers.seen, counter_.read());
  if (now >= timers.deadline.load(std::memory_order_relaxed)) {
    const std::lock_guard lock(device_lock_);
    update_timers(cpu.cpu_index, now);
  }
  return now;
}

void Machine::timers_changed(CpuState& cpu) {
  const std::lock_guard lock(device_lock_);
  timers_[cpu.cpu_index].registers = arm::timer_registers(cpu);
  update_timers(cpu.cpu_index);
  rearm();
}

// Precondition: the device lock is held.
void Machine::update_alarm() {
  const auto alarm = rtc_.next_alarm();
  alarm_at_ = alarm ? counter_.read() + *alarm / kNanosecondsPerTick + 1 : kNoDeadline;
}

void Machine::alarm_changed() {
  update_alarm();
  rearm();
}

// Precondition: the device lock is held.
void Machine::rearm() {
  uint64_t next = std::min({timeout_at_, poll_at_, alarm_at_, clocks_checked_at_ + kClockCheckTicks});
  for (const Timers& timers : timers_) next = std::min(next, timers.deadline.load());
  timer_thread_.set_deadline(next);
}

void Machine::deadline_passed() {
  const std::lock_guard lock(device_lock_);
  if (counter_.read() >= clocks_checked_at_ + kClockCheckTicks) {
    counter_.check();
    clocks_checked_at_ = counter_.read();
  }
  if (counter_.read() >= timeout_at_) {
    timeout_at_ = kNoDeadline;
    request_stop(StopReason::Timeout);
  }
  if (counter_.read() >= poll_at_) {
    for (auto& cpu : cpus_) raise_line(*cpu, kLinePoll);
    poll_at_ = counter_.read() + ticks_of(config_.poll_seconds);
  }
  for (unsigned cpu = 0; cpu < kCpus; ++cpu) update_timers(cpu);
  rtc_.check_alarm();
  update_alarm();
  rearm();
}

uint64_t Machine::wall_nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void Machine::post(Completion&& completion) {
  completions_.push_back(std::move(completion));
  if (completions_.size() == 1) rendezvous_.post(0, [this](CpuState& cpu) { publish_completions(cpu); });
}

void Machine::publish_completions(CpuState& cpu) {
  std::vector<Completion> completions;
  {
    const std::lock_guard lock(device_lock_);
    completions.swap(completions_);
  }
  for (const Completion& completion : completions) {
    if (stopping()) return;  // the guest will not see it
    if (engine_) {
      for (const Completion::Range& range : completion.ranges) engine_->external_write(cpu, range.pa, range.bytes);
    }
    Completion::Range used;
    {
      const std::lock_guard lock(device_lock_);
      used = completion.transport->publish(completion);
      ++device_completions_;
    }
    if (engine_ && used.bytes) engine_->external_write(cpu, used.pa, used.bytes);
  }
}

void Machine::output_drained() {
  uart_.output_drained();
  if (virtio_console_) virtio_console_->output_drained();
}

int Machine::read_console_byte() {
  // Semihosting reads what the UART's driver would: a program uses one or the other.
  if (virtio_console_) return -1;
  for (;;) {
    const bool open = console_.input_open();  // asked first: what comes before the end of input is in the UART by then
    {
      const std::lock_guard lock(device_lock_);
      constexpr uint64_t kUartData = 0x00, kUartFlags = 0x18, kReceiveEmpty = 1 << 4;
      if (!(uart_.read(0, kUartFlags, 4) & kReceiveEmpty)) return static_cast<int>(uart_.read(0, kUartData, 4));
    }
    if (stopping() || !open) return -1;
    const timespec nap{0, 1'000'000};
    nanosleep(&nap, nullptr);
  }
}

void Machine::write_console(const uint8_t* data, size_t bytes) {
  for (size_t done = 0; done < bytes && !stopping();) {
    console_.wait_for_room();
    const std::lock_guard lock(device_lock_);
    for (const size_t end = std::min(bytes, done + Console::kRoom); done < end; ++done) console_.put(data[done]);
  }
}

void Machine::write_error(const uint8_t* data, size_t bytes) {
  while (bytes != 0 && !stopping() && config_.error_fd >= 0) {
    // A reader that stops reading is not to keep this thread for longer than the machine runs.
    constexpr int kLook = 50;  // ms
    pollfd fd{config_.error_fd, POLLOUT, 0};
    if (poll(&fd, 1, kLook) <= 0) continue;
    const ssize_t count = write(config_.error_fd, data, std::min<size_t>(bytes, PIPE_BUF));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count <= 0) return;  // nobody reads it
    data += count;
    bytes -= static_cast<size_t>(count);
  }
}

// The CPU gives its state between two blocks of translated code. What a CPU that does not come there has in memory may
// be old, but says more than nothing.
void Machine::state_requested() {
  std::string text;
  const Sleep sleep = waiting_[0].load();
  rendezvous_.run_on_all([&](CpuState& cpu) { text = describe(cpu, true, sleep); }, kStatePatience);
  if (text.empty()) {
    const std::lock_guard lock(state_lock_);
    text = left_guest_ ? "crosswalk: the guest has ended\n" : describe(*cpus_[0], false, waiting_[0].load());
  }
  print_error(config_.error_fd, text, kErrorMilliseconds);
}

std::string Machine::describe_stopped() { return describe(*cpus_[0], true, sleep_at_stop_.load()); }

std::string Machine::describe(CpuState& cpu, bool answered, Sleep sleep) {
  StateReport report;
  report.seconds = static_cast<double>(counter_.read()) / static_cast<double>(kCounterFrequency);
  report.answered = answered;
  report.sleep = sleep;
  report.symbols = symbols_;
  if (engine_) engine_->add_state(cpu, report);
  report.counts.insert(report.counts.end(), {{"device reads", mmio_reads_},
                                             {"device writes", mmio_writes_},
                                             {"device completions", device_completions_},
                                             {"waits for interrupt", waits_},
                                             {"console bytes out", console_.bytes_out()},
                                             {"console bytes in", console_.bytes_in()}});
  return describe_state(cpu, report);
}

void Machine::exit_now(int status) {
  if (config_.before_exit) config_.before_exit();
  _exit(status);
}

void Machine::stop_overdue() {
  std::string text;
  {
    const std::lock_guard lock(state_lock_);
    if (left_guest_) return;
    if (stop_state().reason == StopReason::Timeout) text = describe(*cpus_[0], false, waiting_[0].load());
  }
  io_.finish(kLastFlush);
  {
    const std::lock_guard lock(state_lock_);
    if (left_guest_) return;
  }
  if (config_.before_exit) config_.before_exit();
  print_error(config_.error_fd, text + "crosswalk: the CPU did not stop in time; the process ends without it\n",
              kErrorMilliseconds);
  _exit(stop_state().exit_status());
}

void Machine::add_statistics(StatisticsTable& table) const {
  const double tick_seconds = 1.0 / static_cast<double>(kCounterFrequency);
  table.add("machine", "elapsed", static_cast<double>(counter_.read()) * tick_seconds, "s");
  table.add("machine", "waits for interrupt", waits_);
  table.add("machine", "time waiting for interrupt", static_cast<double>(wait_ticks_) * tick_seconds, "s");
  table.add("machine", "device reads", mmio_reads_);
  table.add("machine", "device writes", mmio_writes_);
  table.add("machine", "unassigned accesses", mmio_unassigned_);
  table.add("machine", "firmware calls", firmware_calls_);
  table.add("machine", "device completions", device_completions_);
  table.add("machine", "timer thread wakes", timer_thread_.wakes());
  table.add("machine", "clock discontinuities", counter_.discontinuities());
  table.add("machine", "I/O thread wakes", io_.wakes());
  table.add("machine", "console bytes out", console_.bytes_out(), "bytes");
  table.add("machine", "console bytes in", console_.bytes_in(), "bytes");
  gic_.add_statistics(table);
  for (const auto& slot : virtio_) {
    if (slot->device()) slot->device()->add_statistics(table);
  }
}

}  // namespace crosswalk::vmm
