// SPDX-License-Identifier: GPL-2.0-or-later
// The thread that does what takes its time for whoever runs the guest: it serves the socket of
// --control, keeps the guest paused, and writes snapshots. There is one only where an option asks
// for it.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "translator/base/result.h"
#include "vmm/base/poll_group.h"
#include "vmm/machine/control/qmp.h"
#include "vmm/machine/control/standstill.h"
#include "vmm/machine/control/state_reporter.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/io/event_loop.h"

namespace crosswalk::vmm {

class Sandbox;

// The files that the monitor makes. It names them when it is confined, so that the sandbox knows
// these very characters: the object stays where it is while the monitor lives.
struct MonitorFiles {
  std::string control;       // --control: the path of a Unix socket; empty: none
  std::string snapshot;      // --snapshot-file; empty: none
  std::string new_snapshot;  // becomes it when it is complete
  bool any() const { return !control.empty() || !snapshot.empty(); }
};

// What the monitor does to the machine. On its thread.
struct MonitorPorts {
  StandstillParts standstill;
  StopSwitch& stop;
  StateReporter& reporter;
  unsigned cpus = 1;
  std::string version;  // of Crosswalk, in a line
  // The guest stands still. Writes the machine to the descriptor; returns the bytes.
  std::function<Result<uint64_t>(int fd)> write_snapshot;
  std::function<Result<bool>()> reset;
  std::function<void()> send_break;
  std::function<void()> press_power_button;
  // Tells whoever sits at the terminal. A line without its end.
  std::function<void(const std::string&)> say;
};

class Monitor final : private MonitorTarget, private PollGroup {
 public:
  Monitor(const MonitorFiles& files, MonitorPorts ports);
  ~Monitor() override;

  // Makes the socket, and looks whether the snapshot's folder takes files. An old socket of that
  // name is replaced if nobody listens to it.
  Result<bool> open();
  // The statistics as JSON; called while the guest stands still.
  void set_statistics(std::function<std::string()> statistics) { statistics_ = std::move(statistics); }
  // `sandbox`: what confines the thread; null: nothing. `paused`: CPUs that start behind this
  // execute nothing before `cont`.
  void start(const Sandbox* sandbox, bool paused);
  // Ends the thread; the guest goes on if it was paused. Removes the socket.
  void stop();

  // ---- any thread ----
  // Looks again whether the machine is to stop: then the guest goes on, to its end.
  void notify() { loop_.notify(true); }
  // Ctrl-A s, or SIGUSR2.
  void request_snapshot();

 private:
  struct Client;

  void run(std::promise<void>* asked);
  void pause_at_start(std::promise<void>& asked);
  void heed_stop();
  void fill(std::vector<pollfd>& fds, int& timeout) override;
  void ready(std::span<const pollfd> fds) override;
  void accept_client();
  // False: the client has gone.
  bool serve(Client& client);
  bool send_line(Client& client, const std::string& line);
  static bool flush(Client& client);
  void tell_all(const std::string& line);
  void write_requested_snapshot();

  // Until this goes the guest stands still, and nobody changes it.
  struct Frozen {
    std::unique_ptr<Standstill> standstill;  // null: it was paused already
    std::unique_ptr<HoldOfAll> hold;
  };
  Result<std::unique_ptr<Standstill>> stand_still();
  Result<Frozen> freeze();
  Result<uint64_t> snapshot_to_file();

  std::string run_state() const override;
  unsigned cpu_count() const override { return ports_.cpus; }
  Result<bool> pause() override;
  Result<bool> resume() override;
  Result<uint64_t> snapshot(int fd, bool quit) override;
  Result<bool> reset() override { return ports_.reset(); }
  void quit() override { ports_.stop.request(StopReason::UserQuit); }
  Result<std::string> state() override;
  Result<std::string> statistics() override;
  void send_break() override { ports_.send_break(); }
  void press_power_button() override { ports_.press_power_button(); }

  const MonitorFiles& files_;
  MonitorPorts ports_;
  std::function<std::string()> statistics_;
  const Sandbox* sandbox_ = nullptr;
  EventLoop loop_;
  std::thread thread_;
  std::atomic<bool> stop_{false}, snapshot_wanted_{false};
  bool told_end_ = false;
  int listener_ = -1;
  std::list<Client> clients_;
  std::unique_ptr<Standstill> paused_;
};

}  // namespace crosswalk::vmm
