// SPDX-License-Identifier: GPL-2.0-or-later
// The machine's debugger: a thread that waits for a GDB on a socket, one at a time, and serves it.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "translator/base/result.h"
#include "vmm/debugger/session.h"
#include "vmm/machine/debug/cpu_stops.h"
#include "vmm/machine/debug/listener.h"
#include "vmm/machine/debug/machine_target.h"
#include "vmm/machine/io/event_loop.h"

namespace crosswalk::vmm {

class Sandbox;

struct DebuggerConfig {
  ListenAddress address;
  bool wait = false;  // CPUs do not run before the debugger says so
};

class Debugger {
 public:
  Debugger(const DebuggerConfig& config, const DebugPorts& ports);
  ~Debugger();

  // Before start(): listens. An error names the address.
  Result<bool> open();
  void attach(Platform& platform) { target_.attach(platform); }
  void set_engine(EnginePort* engine) {
    stops_.set_engine(engine);
    target_.set_engine(engine);
  }
  // `sandbox`: what confines the thread; null: nothing.
  void start(const Sandbox* sandbox);
  // The machine stops: tells the GDB, and ends the thread.
  void finish();
  // Of each CPU's thread.
  CpuStops& stops() { return stops_; }

 private:
  void run();
  bool has_work() const;
  // CPUs run, or should: one has hit something, or those that were to go on are off.
  bool has_news() const;
  void look_at_cpus();
  void accept_connection();
  void read_connection();
  void write_connection();
  void end_connection();

  const DebuggerConfig config_;
  const DebugPorts m_;
  EventLoop loop_;
  CpuStops stops_;
  MachineTarget target_;
  const Sandbox* sandbox_ = nullptr;
  int listener_ = -1, connection_ = -1;
  std::optional<DebugSession> session_;
  std::string unsent_;
  // What is to be done when all CPUs have stopped.
  enum class Awaits : uint8_t { Nothing, Report, Release } awaits_ = Awaits::Nothing;
  std::atomic<bool> end_{false};
  std::thread thread_;
};

}  // namespace crosswalk::vmm
