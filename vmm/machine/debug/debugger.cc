// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/debug/debugger.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "vmm/base/sandbox.h"

namespace crosswalk::vmm {
namespace {
constexpr size_t kReadBytes = 4096;
// Of what is sent, to a GDB that reads nothing.
constexpr size_t kMaxUnsent = 1 << 20;
}  // namespace

Debugger::Debugger(const DebuggerConfig& config, const DebugPorts& ports)
    : config_(config),
      m_(ports),
      stops_(ports.vcpus, ports.holds, config.wait, [this] { loop_.notify(true); }),
      target_(ports, stops_) {
  loop_.add({[this] { return connection_ < 0 ? listener_ : -1; }, POLLIN, [this] { accept_connection(); }});
  loop_.add({[this] { return connection_; }, POLLIN, [this] { read_connection(); }});
  loop_.add({[this] { return unsent_.empty() ? -1 : connection_; }, POLLOUT, [this] { write_connection(); }});
}

Debugger::~Debugger() {
  finish();
  if (connection_ >= 0) close(connection_);
  if (listener_ >= 0) close(listener_);
  for (const auto& cpu : m_.vcpus) cpu->state().host_debug = nullptr;
}

Result<bool> Debugger::open() {
  auto listening = listen_at(config_.address, "--gdb");
  if (!listening) return listening.take_error();
  listener_ = *listening;
  return loop_.open();
}

void Debugger::start(const Sandbox* sandbox) {
  sandbox_ = sandbox;
  if (config_.wait) target_.hold_time();
  thread_ = std::thread([this] { run(); });
}

void Debugger::finish() {
  if (!thread_.joinable()) return;
  end_.store(true);
  loop_.notify(true);
  thread_.join();
}

void Debugger::run() {
  pthread_setname_np(pthread_self(), "debugger");
  if (sandbox_) sandbox_->enter(Sandbox::Role::Debugger);
  while (!end_.load()) {
    loop_.wait(EventLoop::Heeds::All, [this] { return has_work() ? 0 : -1; });
    look_at_cpus();
    if (session_ && session_->detached()) {
      write_connection();
      end_connection();
    }
  }
  if (session_ && m_.stop.stopping()) {
    unsent_ += session_->ended(m_.stop.state().exit_status());
    write_connection();
  }
}

bool Debugger::has_work() const {
  if (end_.load()) return true;
  return awaits_ == Awaits::Nothing ? has_news() : stops_.all_stopped();
}

bool Debugger::has_news() const {
  return !target_.holds_time() && (stops_.has_hit() || (session_ && stops_.all_stopped()));
}

// All CPUs stop when one has hit something, and time with them.
void Debugger::look_at_cpus() {
  if (target_.take_interrupt() && awaits_ == Awaits::Nothing) awaits_ = Awaits::Report;
  if (awaits_ == Awaits::Nothing) {
    if (!has_news()) return;
    stops_.stop_all();
    awaits_ = Awaits::Report;
  }
  if (!stops_.all_stopped()) return;
  const Awaits what = std::exchange(awaits_, Awaits::Nothing);
  target_.hold_time();
  if (what == Awaits::Release) {
    target_.release();
    return;
  }
  const auto hit = stops_.take_hit();
  unsigned cpu = 0;
  if (hit)
    cpu = hit->first;
  else
    while (cpu + 1 < m_.vcpus.count() && m_.vcpus[cpu].power() == CpuPower::Off) ++cpu;
  unsent_ += session_->stopped(cpu, hit ? hit->second : arm::HostHit{});
  write_connection();
}

void Debugger::accept_connection() {
  connection_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection_ < 0) return;
  session_.emplace(target_);
  awaits_ = Awaits::Report;
}

void Debugger::read_connection() {
  char bytes[kReadBytes];
  const ssize_t got = recv(connection_, bytes, sizeof bytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end_connection();
  unsent_ += session_->receive({bytes, static_cast<size_t>(got)});
  if (unsent_.size() > kMaxUnsent) return end_connection();
  write_connection();
}

void Debugger::write_connection() {
  if (connection_ < 0 || unsent_.empty()) return;
  const ssize_t sent = send(connection_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return end_connection();
  if (sent > 0) unsent_.erase(0, static_cast<size_t>(sent));
}

// Break- and watchpoints go, and the guest goes on.
void Debugger::end_connection() {
  close(connection_);
  connection_ = -1;
  session_.reset();
  unsent_.clear();
  stops_.stop_all();
  awaits_ = Awaits::Release;
}

}  // namespace crosswalk::vmm
