// SPDX-License-Identifier: GPL-2.0-or-later
// Confinement of the threads that guests can reach: no new privileges, no capabilities, and for
// each kind of thread a list of the system calls that it makes after the start, with arguments
// checked where they matter (seccomp(2)). Every other call ends the process with a line that names
// it.
//
// docs/security.md says what this protects from. A thread that does something new needs its call in
// rules() in sandbox.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "translator/base/result.h"

namespace crosswalk::vmm {

class Sandbox {
 public:
  enum class Role : uint8_t {
    Cpu,       // the engine, and what the main thread does after the run
    KvmCpu,    // the same around a KVM VM; not the engine itself, which is InsideVm
    InsideVm,  // not a thread: the calls that the KVM world makes for code inside the VM
    Io,
    Network,  // an I/O thread that has the guest's connections too
    Share,    // one that has a folder's files
    Timer,
    Control,   // signals and the keyboard
    Monitor,   // the control socket, snapshots, and the other ends of serial lines
    Debugger,  // a GDB's connection
  };
  struct Config {
    bool semihosting_files = false;  // the guest may open, rename and remove files
    bool sockets = false;            // the network's thread makes connections (--net user)
    bool flash_files = false;        // CPUs write what they program to files (--pflash)
    std::string tftp{};              // whose files it may read (--net user,tftp=); an absolute path
    bool tap = false;                // it has an interface of the host (--net tap)
    bool shares = false;             // a folder's thread opens files there (--share)
    bool writable_shares = false;    // and makes, changes and removes them
    // Paths that the monitor makes, renames and removes; null: none. The call's argument has to be
    // this very pointer, so they outlive the threads.
    const char *control_socket = nullptr, *serial_sockets[2] = {}, *snapshot = nullptr, *new_snapshot = nullptr;
  };

  // Installs the handler that prints the line. Fails when this kernel has no seccomp filters.
  static Result<Sandbox> create(const Config& config);

  // Confines the calling thread, for good. Nothing may be opened any more, and no thread started.
  // Ends the process with a line when it fails: the guest would run unconfined.
  void enter(Role role) const;

  // Whether code inside a VM may have this call made.
  using Arguments = std::array<uint64_t, 6>;
  bool allows_inside(uint64_t call, const Arguments& arguments) const;
  // Prints the line and ends the process.
  [[noreturn]] static void refuse_inside(uint64_t call);

  // False in builds with a sanitizer, whose run-time library makes calls of its own.
  static bool built_in();

 private:
  struct Condition {
    unsigned argument;
    uint64_t mask, value;  // argument & mask == value
  };
  struct Rule {
    int call;
    unsigned roles;  // a bit for each Role
    std::vector<Condition> conditions;
    int error = 0;  // if not 0: what the call returns, without being made
  };
  explicit Sandbox(const Config& config);
  void add_calls_of_all();
  void add_calls_of_roles(const Config& config);
  void add(unsigned roles, std::initializer_list<int> calls);
  void add(unsigned roles, int call, std::vector<Condition> conditions, int error = 0);

  std::vector<Rule> rules_;
  // The host's list of name servers, opened before: the one file that the network's thread can
  // open, by its name. Negative: there is none. Open until the process ends.
  int name_servers_ = -1;
  bool looks_for_files_ = false;  // the network's thread does
  // The directory whose files it can open too, by paths that begin with `tftp_path_`.
  std::string tftp_path_;
  int tftp_ = -1;
};

}  // namespace crosswalk::vmm
