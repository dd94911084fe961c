// SPDX-License-Identifier: GPL-2.0-or-later
// The other end of the serial line (--serial): standard input and output, a file, or somebody who
// comes and goes, at a pseudo-terminal or a Unix socket. What the guest sends while nobody is there
// is lost, as on a line with nothing plugged in.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "translator/base/result.h"
#include "vmm/machine/io/event_loop.h"

namespace crosswalk::vmm {

class Sandbox;

struct SerialConfig {
  enum class Kind : uint8_t { Stdio, Pty, Socket, File, Null };
  Kind kind = Kind::Stdio;
  std::string path;  // of a socket or file
};

class SerialBackend {
 public:
  // Not for Stdio. Makes the file, the socket or the pseudo-terminal.
  static Result<std::unique_ptr<SerialBackend>> open(const SerialConfig& config);
  ~SerialBackend();
  SerialBackend(const SerialBackend&) = delete;
  SerialBackend& operator=(const SerialBackend&) = delete;

  // What the console reads and writes; -1: nothing. Open as long as this is.
  int input_fd() const { return input_; }
  int output_fd() const { return output_; }
  // Where to connect to, such as "/dev/pts/3"; empty: nowhere.
  const std::string& name() const { return name_; }
  // The path of the socket, which the thread removes at its end: the same characters as long as
  // this lives. Null: there is none.
  const char* socket_path() const { return socket_path_.empty() ? nullptr : socket_path_.c_str(); }

  // A pseudo-terminal and a socket need a thread. `sandbox`: what confines it; null: nothing.
  void start(const Sandbox* sandbox);
  // Gives on what the guest has sent, if somebody is there, and ends the thread.
  void stop();

 private:
  SerialBackend() = default;
  Result<bool> open_file(const std::string& path);
  Result<bool> open_pty();
  Result<bool> open_socket(const std::string& path);
  Result<bool> make_line();
  void run();
  bool has_peer() const { return peer_ >= 0 && !absent_; }
  void serve_line();
  void serve_peer();
  void give_to_peer();
  void lose_peer();

  int input_ = -1, output_ = -1;
  std::string name_, socket_path_;
  int line_ = -1;      // the other end of what the console has
  int listener_ = -1;  // of a socket
  int peer_ = -1;      // who is connected; of a pseudo-terminal, its master
  bool pty_ = false, removed_ = false;
  bool absent_ = true;  // a pseudo-terminal that nobody has open
  std::string to_peer_, to_line_;
  EventLoop loop_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  const Sandbox* sandbox_ = nullptr;
};

}  // namespace crosswalk::vmm
