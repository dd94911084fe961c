// SPDX-License-Identifier: GPL-2.0-or-later
// The board: guest RAM, CPU states, devices, and the threads that serve them. The engine runs the CPUs and sees this as
// its Platform.
//
// Threads and locks: one device lock guards the bus, the devices and the interrupt controller. CPU threads hold it for
// one register access, the timer thread to raise timer interrupts, the I/O thread only around short sections, never
// during a system call that may block.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/platform.h"
#include "translator/arm32/cpu/timer.h"
#include "vmm/base/exit_status.h"
#include "vmm/base/result.h"
#include "vmm/devices/console.h"
#include "vmm/devices/gicv2.h"
#include "vmm/devices/pl011.h"
#include "vmm/devices/pl031.h"
#include "vmm/devices/virtio_console.h"
#include "vmm/devices/virtio_mmio.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/control_thread.h"
#include "vmm/machine/counter.h"
#include "vmm/machine/engine_port.h"
#include "vmm/machine/guest_memory.h"
#include "vmm/machine/io_thread.h"
#include "vmm/machine/loader.h"
#include "vmm/machine/memory_map.h"
#include "vmm/machine/psci.h"
#include "vmm/machine/rendezvous.h"
#include "vmm/machine/semihosting.h"
#include "vmm/machine/state_report.h"
#include "vmm/machine/timer_thread.h"

namespace crosswalk::vmm {

class Sandbox;
class StatisticsTable;
class SymbolTable;

struct DiskConfig {
  std::string path;
  bool read_only = false;
  bool any_format = false;  // served as it is, even if it looks like an image of another format
};

struct MachineConfig {
  uint64_t memory_bytes = uint64_t{1} << 30;
  bool shared_ram = false;  // memfd: needed by the mmap and ept windows
  std::vector<DiskConfig> disks;
  int input_fd = -1, output_fd = -1;  // the console; -1: none
  int error_fd = -1;                  // semihosting's standard error; -1: none
  bool escape_keys = false;           // Ctrl-A x, i and h
  bool virtio_console = false;        // there is one, and console input goes there instead of to the PL011
  // SIGINT, SIGTERM, SIGHUP and SIGQUIT stop the machine, SIGUSR1 prints its state to error_fd. A machine that does not
  // stop, or is asked a second time, ends the process.
  bool catch_signals = false;
  std::function<void()> before_exit;  // called then, on any thread: restores the terminal
  std::function<void()> continued;    // called after SIGCONT, on the control thread: takes the terminal back
  double timeout_seconds = 0;         // 0: none
  double poll_seconds = 0;            // a CPU that runs polls at least so often; 0: only when there is something to see
  SemihostingConfig semihosting;
  const Sandbox* sandbox = nullptr;  // confines the machine's threads; outlives it
};

class Machine final : public Platform,
                      private CpuInterruptOutputs,
                      private WallClock,
                      private CompletionSink,
                      private DeadlineHandler,
                      private IoEvents,
                      private ControlEvents,
                      private PsciHost,
                      private SemihostingHost {
 public:
  static Result<std::unique_ptr<Machine>> create(const MachineConfig& config);
  ~Machine() override;

  // Loads the guest into RAM. set_boot_registers then puts `cpu`, which the engine has reset, at its entry.
  Result<bool> load(const BootConfig& config);
  void set_boot_registers(CpuState& cpu) const;
  const BootState& boot_state() const { return boot_; }

  // The engine, which must outlive the run. Without one RAM writes are not reported and VA = PA.
  void set_engine(EnginePort* engine);

  // Names for addresses in printed states; outlives the machine. Null: none.
  void set_symbols(const SymbolTable* symbols) { symbols_ = symbols; }

  // Starts the control, I/O and timer threads, and the clock of --timeout.
  void start();
  // The CPUs have left the guest: ends the I/O and timer threads, after writing out what the guest has printed; the
  // engine is not used any more. The control thread goes on until the destructor, so that a second signal is heard.
  // False: the I/O thread is in a system call that does not end. Then the machine cannot be destroyed before that
  // does; a process that shall end calls _exit. Called by the destructor too.
  bool shutdown();
  // The guest's state and the main counters in words, with the time. Precondition: the CPUs have left the guest.
  std::string describe_stopped();

  CpuState& cpu(unsigned index = 0) { return *cpus_[index]; }
  const GuestRam& ram() const { return memory_.ram(); }
  const SystemCounter& clock() const { return counter_; }
  double seconds_waiting() const { return static_cast<double>(wait_ticks_) / static_cast<double>(kCounterFrequency); }
  GicV2& gic() { return gic_; }
  VirtioMmio& virtio_slot(unsigned slot) { return *virtio_[slot]; }
  Console& console() { return console_; }

  // Stops every CPU: kLineStop is raised, and the engine's run() returns. The first request wins. Any thread.
  void request_stop(StopReason reason, int code = 0);
  StopState stop_state() const;
  bool stopping() const override { return stop_.load() != 0; }

  // Raises a line and wakes the CPU if it sleeps. Any thread.
  void raise(CpuState& cpu, uint32_t line);

  void add_statistics(StatisticsTable& table) const;

  // ---- Platform ----
  bool mmio_read(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t& value) override;
  bool mmio_write(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t value) override;
  bool firmware_call(CpuState& cpu) override;
  bool semihosting(CpuState& cpu) override;
  void wait_for_interrupt(CpuState& cpu) override;
  uint64_t counter() override { return counter_.read(); }
  uint64_t counter_for(CpuState& cpu) override;
  uint64_t nanoseconds() override { return counter_.nanoseconds(); }
  void timers_changed(CpuState& cpu) override;
  void run_queued_work(CpuState& cpu) override { rendezvous_.serve(cpu); }

 private:
  static constexpr unsigned kCpus = 1;

  // A copy of a CPU's timer registers: the timer thread must not see them half changed.
  struct Timers {
    arm::TimerRegisters registers;
    std::atomic<uint64_t> deadline{kNoDeadline};  // when the outputs must be looked at again; written under the lock
    uint64_t seen = 0;                            // the counter's highest value that the CPU has read
  };

  Machine(const MachineConfig& config, GuestMemory memory);
  Result<bool> add_virtio_devices(const MachineConfig& config);
  Result<bool> map_devices();
  void update_timers(unsigned cpu);
  void update_timers(unsigned cpu, uint64_t now);
  void update_alarm();
  void rearm();

  void set_cpu_line(unsigned cpu, uint32_t line, bool level) override;
  uint64_t wall_nanoseconds() override;
  void alarm_changed() override;
  void post(Completion&& completion) override;
  void deadline_passed() override;
  void quit_requested() override { request_stop(StopReason::UserQuit); }
  void signal_received(int signal) override { request_stop(StopReason::Signal, signal); }
  void state_requested() override;
  void continued() override {
    if (config_.continued) config_.continued();
  }
  bool stop_requested() const override { return stopping(); }
  void exit_now(int status) override;
  void stop_overdue() override;
  void publish_completions(CpuState& cpu);
  std::string describe(CpuState& cpu, bool answered, Sleep sleep);
  void output_drained() override;
  unsigned cpu_count() const override { return kCpus; }
  void system_off() override { request_stop(StopReason::PowerOff); }
  void system_reset() override { request_stop(StopReason::Reset); }
  void suspend(CpuState& cpu) override { wait_for_interrupt(cpu); }
  void cpu_off(CpuState& cpu) override;
  int read_console_byte() override;
  void write_console(const uint8_t* data, size_t bytes) override;
  void write_error(const uint8_t* data, size_t bytes) override;
  void semihosting_exit(int code) override { request_stop(StopReason::SemihostingExit, code); }

  MachineConfig config_;
  GuestMemory memory_;
  SystemCounter counter_;
  std::vector<std::unique_ptr<CpuState>> cpus_;
  std::mutex device_lock_;
  Bus bus_;
  GicV2 gic_;
  Console console_;
  IoThread io_;
  ControlThread control_;
  TimerThread timer_thread_;
  Pl011 uart_;
  Pl031 rtc_;
  std::vector<std::unique_ptr<VirtioMmio>> virtio_;
  VirtioConsole* virtio_console_ = nullptr;  // owned by its transport; null: none
  Semihosting semihosting_;
  EnginePort* engine_ = nullptr;
  BootState boot_;
  std::array<Timers, kCpus> timers_;
  uint64_t timeout_at_ = kNoDeadline, poll_at_ = kNoDeadline;
  uint64_t alarm_at_ = kNoDeadline, clocks_checked_at_ = 0;
  Rendezvous rendezvous_;
  std::vector<Completion> completions_;  // not yet published; guarded by device_lock_
  std::array<std::atomic<Sleep>, kCpus> waiting_{};
  std::atomic<Sleep> sleep_at_stop_{Sleep::Awake};
  std::atomic<uint64_t> stop_{0};  // StopReason | code << 32
  bool running_ = false;
  const SymbolTable* symbols_ = nullptr;
  std::mutex state_lock_;
  bool left_guest_ = false;  // guarded by state_lock_: the engine may be gone
  // Written by one CPU thread, read at exit.
  uint64_t mmio_reads_ = 0, mmio_writes_ = 0, mmio_unassigned_ = 0, waits_ = 0, wait_ticks_ = 0, firmware_calls_ = 0;
  uint64_t device_completions_ = 0;
};

}  // namespace crosswalk::vmm
