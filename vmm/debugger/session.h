// SPDX-License-Identifier: GPL-2.0-or-later
// One connection of a GDB: answers its packets. CPUs are its threads, numbered from 1; all of them
// stop together (all-stop mode). It has no thread and no socket: bytes go in and bytes come out.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/debugger/packet.h"
#include "vmm/debugger/target.h"

namespace crosswalk::vmm {

class DebugSession {
 public:
  // The target's CPUs run, and are asked to stop.
  explicit DebugSession(DebugTarget& target);

  // Bytes that GDB has sent. Returns what to send.
  std::string receive(std::string_view bytes);
  // All CPUs have stopped, since `cpu` hit something; or, with HostStop::None, since they were
  // asked to. Returns what to send.
  std::string stopped(unsigned cpu, const arm::HostHit& hit);
  // The run has ended with this exit status. Returns what to send last.
  std::string ended(int status);
  // GDB has detached: the connection is to be closed once all is sent. Whoever made the session
  // takes the target's break- and watchpoints away and has it go on, as after a lost connection.
  bool detached() const { return detached_; }

 private:
  // Errors have numbers of errno(3).
  static constexpr const char *kFailed = "E01", *kBadAddress = "E0e", *kNoRoom = "E1c", *kBadPacket = "E16";
  // GDB sends none while the CPUs run; of whoever sends more, the others are dropped.
  static constexpr size_t kWaitingPackets = 64;

  void answer(const std::string& packet);
  // Each of these answers a packet by send(), or by not_supported().
  void query(PacketFields fields);
  void set(PacketFields fields);
  void v_packet(PacketFields fields);
  void continue_as(PacketFields fields);
  void resume_old(PacketFields fields, DebugAction action);
  void select_cpu(PacketFields fields);
  void read_registers();
  void write_registers(PacketFields fields);
  void read_register(PacketFields fields);
  void write_register(PacketFields fields);
  void read_memory(PacketFields fields);
  void write_memory(PacketFields fields, bool binary);
  void change_point(PacketFields fields, bool insert);
  bool change_breakpoint(uint32_t address, bool insert);
  bool change_watchpoint(char type, uint32_t address, uint32_t bytes, bool insert);
  void read_description(PacketFields fields);
  void monitor(const std::string& command);
  std::string catch_exceptions(const std::vector<std::string>& names);

  void send(std::string_view payload);
  void not_supported() { send(""); }
  void ok(bool done, const char* error = kFailed) { send(done ? "OK" : error); }
  // Text for the user, before the answer.
  void print(const std::string& text);
  void go(const std::vector<DebugResume>& how);
  std::string stop_reply() const;
  // A thread's number as GDB sends it: 0 any, -1 all. Nothing: there is no such thread.
  std::optional<int> thread(PacketFields& fields) const;

  DebugTarget& target_;
  PacketReader reader_;
  std::string out_, last_packet_;
  std::deque<std::string> waiting_;  // packets that came while the CPUs ran
  bool running_ = true;              // until stopped() says otherwise
  bool reply_due_ = false;           // GDB waits for a stop reply
  bool acknowledges_ = true, detached_ = false;
  bool physical_ = false;             // addresses are PAs
  unsigned cpu_ = 0;                  // that registers and memory are of (Hg)
  std::optional<unsigned> step_cpu_;  // that s steps (Hc); nothing: cpu_
  unsigned stopped_cpu_ = 0;
  arm::HostHit hit_;
  bool names_breakpoints_ = false;  // GDB wants to know that a stop is one of Z0 or Z1
  arm::HostPoints points_;
};

}  // namespace crosswalk::vmm
