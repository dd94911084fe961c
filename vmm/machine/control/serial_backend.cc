// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/serial_backend.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "vmm/base/sandbox.h"
#include "vmm/base/unix_socket.h"

namespace crosswalk::vmm {
namespace {

// What waits for somebody who is there and does not read; then the guest waits too.
constexpr size_t kMaxWaiting = 64 << 10;
// How often to look whether somebody has opened a pseudo-terminal: there is no event for that.
constexpr int kLookMilliseconds = 200;

Error host_error(const std::string& what) { return Error{"--serial: " + what + ": " + std::strerror(errno)}; }

// Appends what there is. False: the end.
bool read_some(int fd, std::string& to) {
  char data[4096];
  const ssize_t count = read(fd, data, sizeof data);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  to.append(data, static_cast<size_t>(count));
  return count > 0;
}

// Takes off what was written. False: nobody is there any more.
bool write_some(int fd, std::string& from) {
  while (!from.empty()) {
    const ssize_t count = write(fd, from.data(), from.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    from.erase(0, static_cast<size_t>(count));
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<SerialBackend>> SerialBackend::open(const SerialConfig& config) {
  std::unique_ptr<SerialBackend> backend(new SerialBackend);
  const auto opened = [&]() -> Result<bool> {
    switch (config.kind) {
      case SerialConfig::Kind::File: return backend->open_file(config.path);
      case SerialConfig::Kind::Pty: return backend->open_pty();
      case SerialConfig::Kind::Socket: return backend->open_socket(config.path);
      case SerialConfig::Kind::Stdio:
      case SerialConfig::Kind::Null: break;
    }
    return true;
  }();
  if (!opened) return Result(opened).take_error();
  return backend;
}

SerialBackend::~SerialBackend() {
  stop();
  if (output_ != input_ && output_ >= 0) close(output_);
  for (const int fd : {input_, line_, listener_, peer_})
    if (fd >= 0) close(fd);
  if (socket_path() && !removed_) unlink(socket_path());
}

Result<bool> SerialBackend::open_file(const std::string& path) {
  output_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
  if (output_ < 0) return host_error("cannot write '" + path + "'");
  return true;
}

Result<bool> SerialBackend::open_pty() {
  pty_ = true;
  peer_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  char name[64];
  if (peer_ < 0 || grantpt(peer_) != 0 || unlockpt(peer_) != 0 || ptsname_r(peer_, name, sizeof name) != 0)
    return host_error("cannot make a pseudo-terminal");
  termios settings;
  if (tcgetattr(peer_, &settings) == 0) {
    cfmakeraw(&settings);
    tcsetattr(peer_, TCSANOW, &settings);
  }
  // A master says that nobody has the other side open only once somebody has had.
  const int other = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (other >= 0) close(other);
  name_ = name;
  return make_line();
}

Result<bool> SerialBackend::open_socket(const std::string& path) {
  auto listening = listen_at_unix_socket("--serial", path);
  if (!listening) return listening.take_error();
  listener_ = *listening;
  socket_path_ = name_ = path;
  return make_line();
}

Result<bool> SerialBackend::make_line() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return host_error("socketpair");
  input_ = output_ = ends[0];
  line_ = ends[1];
  loop_.add({[this] { return to_peer_.size() < kMaxWaiting ? line_ : -1; }, POLLIN, [this] { serve_line(); }});
  loop_.add({[this] { return to_line_.empty() ? -1 : line_; }, POLLOUT, [this] { write_some(line_, to_line_); }});
  loop_.add({[this] { return has_peer() && to_line_.empty() ? peer_ : -1; }, POLLIN, [this] { serve_peer(); }});
  loop_.add({[this] { return has_peer() && !to_peer_.empty() ? peer_ : -1; }, POLLOUT, [this] { give_to_peer(); }});
  loop_.add({[this] { return peer_ < 0 ? listener_ : -1; }, POLLIN,
             [this] {
               peer_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
               absent_ = peer_ < 0;
             }});
  return loop_.open();
}

void SerialBackend::start(const Sandbox* sandbox) {
  if (line_ < 0) return;
  sandbox_ = sandbox;
  thread_ = std::thread([this] { run(); });
}

void SerialBackend::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  loop_.notify(true);
  thread_.join();
}

void SerialBackend::run() {
  pthread_setname_np(pthread_self(), "serial");
  if (sandbox_) sandbox_->enter(Sandbox::Role::Monitor);
  while (!stop_.load()) {
    if (pty_ && absent_) {
      pollfd master{peer_, 0, 0};
      absent_ = poll(&master, 1, 0) != 0;
    }
    loop_.wait(EventLoop::Heeds::All, [this] { return stop_.load() ? 0 : pty_ && absent_ ? kLookMilliseconds : -1; });
  }
  while (read_some(line_, to_peer_) && has_peer() && !to_peer_.empty()) {
    give_to_peer();
    if (!to_peer_.empty()) break;
  }
  if (socket_path()) unlink(socket_path());
  removed_ = true;
}

void SerialBackend::serve_line() {
  read_some(line_, to_peer_);
  give_to_peer();
}

void SerialBackend::give_to_peer() {
  if (!has_peer())
    to_peer_.clear();
  else if (!write_some(peer_, to_peer_))
    lose_peer();
}

void SerialBackend::serve_peer() {
  if (!read_some(peer_, to_line_)) return lose_peer();
  write_some(line_, to_line_);
}

void SerialBackend::lose_peer() {
  to_peer_.clear();
  absent_ = true;
  if (pty_) return;
  close(peer_);
  peer_ = -1;
}

}  // namespace crosswalk::vmm
