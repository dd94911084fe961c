// SPDX-License-Identifier: GPL-2.0-or-later
// The machine: guest RAM, CPUs, the board's devices, and the threads that serve them. It owns its
// parts and connects them; the engine runs the CPUs and sees platform().
//
// Threads and locks: one device lock guards the bus, the devices and the interrupt controller. CPU
// threads hold it for one register access, the timer thread to raise timer interrupts, I/O threads
// only around short sections, never during a system call that may block.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "translator/base/counter.h"
#include "translator/base/result.h"
#include "vmm/base/exit_status.h"
#include "vmm/devices/console.h"
#include "vmm/machine/board/board.h"
#include "vmm/machine/board/memory_map.h"
#include "vmm/machine/control/control_thread.h"
#include "vmm/machine/control/monitor.h"
#include "vmm/machine/control/run_control.h"
#include "vmm/machine/control/state_reporter.h"
#include "vmm/machine/cpus/completion_queue.h"
#include "vmm/machine/cpus/cpu_holds.h"
#include "vmm/machine/cpus/cpu_thread.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/reset_gate.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/cpus/vcpu.h"
#include "vmm/machine/debug/debugger.h"
#include "vmm/machine/io/io_thread.h"
#include "vmm/machine/loader/guest_memory.h"
#include "vmm/machine/loader/loader.h"
#include "vmm/machine/machine_platform.h"
#include "vmm/machine/semihosting/semihosting.h"
#include "vmm/machine/semihosting/semihosting_console.h"
#include "vmm/machine/snapshot/saved_machine.h"
#include "vmm/machine/time/counter.h"
#include "vmm/machine/time/timers.h"

namespace crosswalk::vmm {

class Sandbox;
class StatisticsTable;
class SymbolTable;

// Who is at the other end of a serial port: descriptors, or -1.
struct PortConfig {
  int input_fd = -1, output_fd = -1;
  bool escape_keys = false;  // as MachineConfig's
};

struct MachineConfig {
  unsigned cpus = 1;  // to GicV2::kMaxCpus
  uint64_t memory_bytes = uint64_t{1} << 30;
  bool shared_ram = false;  // memfd: needed by the mmap and ept windows
  std::vector<DiskConfig> disks;
  int input_fd = -1, output_fd = -1;  // the console; -1: none
  int error_fd = -1;                  // semihosting's standard error; -1: none
  bool escape_keys = false;           // Ctrl-A x, i, s, b, p and h; or after another key
  uint8_t escape_key = EscapeFilter::kCtrlA;
  // There is a second serial port.
  std::optional<PortConfig> second_port;
  // there is one, and console input goes there instead of to the PL011
  bool virtio_console = false;
  NetConfig network;
  std::vector<ShareConfig> shares;
  // There is flash: banks of these files, firmware in the first one if it has a file.
  bool has_flash = false;
  FlashConfig flash[FlashBanks::kBanks];
  // The first SIGTERM presses the power button, instead of stopping the machine.
  bool power_button_by_signal = false;
  // SIGINT, SIGTERM, SIGHUP and SIGQUIT stop the machine, SIGUSR1 prints its state to error_fd. A
  // machine that does not stop, or is asked a second time, ends the process.
  bool catch_signals = false;
  std::function<void()> before_exit;  // called then, on any thread: restores the terminal
  // called after SIGCONT, on the control thread: takes the terminal back
  std::function<void()> continued;
  double timeout_seconds = 0;  // 0: none
  // a CPU that runs polls at least so often; 0: only when there is something to see
  double poll_seconds = 0;
  SemihostingConfig semihosting;
  bool reboots = false;                         // a reset boots the guest again
  std::string cpu_model;                        // --cpu, for snapshots
  bool waits = false;                           // the guest executes nothing before the monitor's `cont`
  const MonitorFiles* monitor_files = nullptr;  // outlive it; null: none
  std::string version;                          // of Crosswalk, in a line
  std::optional<DebuggerConfig> debugger;       // a GDB may connect
  const Sandbox* sandbox = nullptr;             // confines the machine's threads; outlives it
};

// Those of all CPUs together, and what is the machine's.
struct MachineCounters : VcpuCounters {
  uint64_t elapsed_ticks = 0;  // of the system counter
  uint64_t completions = 0, timer_wakes = 0, discontinuities = 0, io_wakes = 0;
  uint64_t console_out = 0, console_in = 0;
};
inline constexpr Counter<MachineCounters> kMachineCounters[] = {
    {"elapsed", &MachineCounters::elapsed_ticks, CounterUnit::Ticks},
    {"waits for interrupt", &MachineCounters::waits},
    {"time waiting for interrupt", &MachineCounters::wait_ticks, CounterUnit::Ticks},
    {"device reads", &MachineCounters::mmio_reads},
    {"device writes", &MachineCounters::mmio_writes},
    {"unassigned accesses", &MachineCounters::mmio_unassigned},
    {"firmware calls", &MachineCounters::firmware_calls},
    {"device completions", &MachineCounters::completions},
    {"timer thread wakes", &MachineCounters::timer_wakes},
    {"clock discontinuities", &MachineCounters::discontinuities},
    {"I/O thread wakes", &MachineCounters::io_wakes},
    {"console bytes out", &MachineCounters::console_out, CounterUnit::Bytes},
    {"console bytes in", &MachineCounters::console_in, CounterUnit::Bytes},
};

// Guest RAM as it was when the guest was loaded.
struct BootImage {
  uint64_t pa;
  std::vector<uint8_t> bytes;
};

class Machine final {
 public:
  static Result<std::unique_ptr<Machine>> create(const MachineConfig& config);
  ~Machine();

  // Loads the guest into RAM. set_boot_registers then puts `cpu`, which the engine has reset, at
  // its entry.
  Result<bool> load(const BootConfig& config);
  void set_boot_registers(CpuState& cpu) const;
  // Instead of load(): the guest goes on where it was saved. Afterwards the registers of all CPUs
  // are set. Precondition: the snapshot is of this machine's shape.
  Result<bool> restore(SavedMachine& saved);
  bool restored() const { return restored_; }
  // The one that load() has put into RAM, until the guest runs. Empty: the image leaves no room.
  std::span<const uint8_t> device_tree() const;

  // The engine, which must outlive the run. Without one RAM writes are not reported and VA = PA.
  void set_engine(EnginePort* engine);

  // Names for addresses in printed states; outlives the machine. Null: none.
  void set_symbols(const SymbolTable* symbols) { reporter_.set_symbols(symbols); }

  // Starts the control, I/O and timer threads, and the clock of --timeout.
  void start();
  // A CPU's thread, from start() to the stop of the machine: the CPU runs the guest by `run` while
  // it is on (run_cpu in cpu_thread.h).
  void run_cpu(unsigned index, const std::function<void(CpuStart)>& run);
  // The statistics as JSON, for the monitor; called while the guest stands still.
  void set_statistics(std::function<std::string()> statistics) {
    if (monitor_) monitor_->set_statistics(std::move(statistics));
  }
  // The CPUs have left the guest: ends the I/O and timer threads, after writing out what the guest
  // has printed; the engine is not used any more. The control thread goes on until the destructor,
  // so that a second signal is heard. False: an I/O thread is in a system call that does not end.
  // Then the machine cannot be destroyed before that does; a process that shall end calls _exit.
  // Called by the destructor too.
  bool shutdown();
  // The guest's state and the main counters in words, with the time. Precondition: the CPUs have
  // left the guest.
  std::string describe_stopped() { return reporter_.of_stopped(); }

  Platform& platform() { return *platform_; }
  unsigned cpu_count() const { return vcpus_.count(); }
  CpuState& cpu(unsigned index) { return vcpus_[index].state(); }
  const GuestRam& ram() const { return memory_.ram(); }
  const SystemCounter& clock() const { return counter_; }
  Board& board() { return *board_; }
  Console& console() { return console_; }
  // The second serial port's; null: there is none.
  Console* second_port() { return second_port_.get(); }

  // The guest finds the power button pressed (Pl061), and may power off. Any thread; returns at
  // once.
  void press_power_button() { run_control_.power_button_pressed(); }
  // A request stops every CPU: kLineStop is raised, and the engine's run() returns.
  StopSwitch& stop() { return stop_; }

  MachineCounters counters() const;
  const VcpuCounters& counters_of(unsigned cpu) const { return vcpus_[cpu].counters(); }
  void add_statistics(StatisticsTable& table) const;

 private:
  Machine(const MachineConfig& config, GuestMemory memory);
  Result<bool> make_board();
  Result<bool> make_monitor();
  void stop_everyone(bool first);
  SnapshotParts snapshot_parts();
  Result<uint64_t> write_snapshot(int fd);
  void snapshot_requested();
  void send_break(unsigned port);
  ConsoleOutputs console_outputs() { return {&console_.output, second_port_ ? &second_port_->output : nullptr}; }
  Result<bool> request_reset();
  void reset();

  MachineConfig config_;
  GuestMemory memory_;
  SystemCounter counter_;
  std::mutex device_lock_;
  Vcpus vcpus_;
  Console console_;
  std::unique_ptr<Console> second_port_;  // null: there is none
  StopSwitch stop_;
  Rendezvous rendezvous_;
  CpuHolds holds_;
  CompletionQueue completions_;
  Timers timers_;
  StateReporter reporter_;
  IoThreads io_;
  RunControl run_control_;
  ControlThread control_;
  ResetGate reset_gate_;
  std::unique_ptr<Monitor> monitor_;  // null: there is none
  SemihostingConsole semihosting_console_;
  Semihosting semihosting_;
  std::unique_ptr<Debugger> debugger_;  // null: none
  std::unique_ptr<Board> board_;
  std::unique_ptr<MachinePlatform> platform_;
  BootState boot_;
  std::vector<BootImage> boot_images_;  // what a reset puts into RAM again
  bool running_ = false, restored_ = false;
};

}  // namespace crosswalk::vmm
