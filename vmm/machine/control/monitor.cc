// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/monitor.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "vmm/base/sandbox.h"
#include "vmm/base/unix_socket.h"

namespace crosswalk::vmm {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};
constexpr size_t kMaxClients = 8, kMaxFds = 4;
// Of one line, and of answers that a client does not read.
constexpr size_t kMaxLine = 64 << 10, kMaxWaiting = 4 << 20;

// Another user's file may stand where the new snapshot is made.
int create(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

std::string in_mebibytes(uint64_t bytes) { return std::to_string((bytes + (1 << 19)) >> 20) + " MiB"; }

}  // namespace

struct Monitor::Client {
  Client(int descriptor, MonitorTarget& target, const std::string& version,
         std::function<void(const std::string&)> event)
      : fd(descriptor), qmp(target, version, std::move(event)) {}
  ~Client() { close(fd); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int fd;
  Qmp qmp;
  std::string in, out;
  bool gone = false;
};

Monitor::Monitor(const MonitorFiles& files, MonitorPorts ports) : files_(files), ports_(std::move(ports)) {
  loop_.add(*this);
}

Monitor::~Monitor() {
  stop();
  if (listener_ >= 0) close(listener_);
}

Result<bool> Monitor::open() {
  if (!files_.control.empty()) {
    auto made = listen_at_unix_socket("--control", files_.control);
    if (!made) return made.take_error();
    listener_ = *made;
  }
  if (!files_.snapshot.empty()) {
    const int fd = create(files_.new_snapshot);
    if (fd < 0)
      return Error{"--snapshot-file: cannot make '" + files_.new_snapshot + "' beside it: " + std::strerror(errno)};
    close(fd);
    unlink(files_.new_snapshot.c_str());
  }
  return loop_.open();
}

void Monitor::start(const Sandbox* sandbox, bool paused) {
  sandbox_ = sandbox;
  stop_.store(false);
  std::promise<void> asked;
  thread_ = std::thread([this, promise = paused ? &asked : nullptr] { run(promise); });
  if (paused) asked.get_future().wait();
}

// The CPUs start when they have been asked to stop, and then come to it.
void Monitor::pause_at_start(std::promise<void>& asked) {
  bool told = false;
  const auto tell = [&] {
    if (!std::exchange(told, true)) asked.set_value();
  };
  auto begun = Standstill::begin(ports_.standstill, kPatience, tell);
  tell();
  if (begun)
    paused_ = std::move(*begun);
  else
    ports_.say("crosswalk: --wait: " + begun.error());
}

void Monitor::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  notify();
  thread_.join();
}

void Monitor::request_snapshot() {
  snapshot_wanted_.store(true);
  notify();
}

void Monitor::run(std::promise<void>* asked) {
  pthread_setname_np(pthread_self(), "monitor");
  if (sandbox_) sandbox_->enter(Sandbox::Role::Monitor);
  if (asked) pause_at_start(*asked);
  while (!stop_.load()) {
    heed_stop();
    if (snapshot_wanted_.exchange(false)) write_requested_snapshot();
    loop_.wait(EventLoop::Heeds::All, [this] {
      return stop_.load() || snapshot_wanted_.load() || (ports_.stop.stopping() && !told_end_) ? 0 : -1;
    });
  }
  heed_stop();
  paused_.reset();
  clients_.clear();
  if (!files_.control.empty()) unlink(files_.control.c_str());
}

void Monitor::heed_stop() {
  if (!ports_.stop.stopping() || told_end_) return;
  told_end_ = true;
  paused_.reset();
  tell_all(Qmp::event_line("SHUTDOWN"));
}

// ---- clients

void Monitor::fill(std::vector<pollfd>& fds, int&) {
  fds.push_back({clients_.size() < kMaxClients ? listener_ : -1, POLLIN, 0});
  for (const Client& client : clients_)
    fds.push_back({client.fd, static_cast<short>(client.out.empty() ? POLLIN : POLLOUT), 0});
}

void Monitor::ready(std::span<const pollfd> fds) {
  size_t index = 1;
  for (Client& client : clients_) {
    const short come = fds[index++].revents;
    if (come & POLLOUT) client.gone |= !flush(client);
    if (come & (POLLIN | POLLHUP | POLLERR)) client.gone |= !serve(client);
  }
  clients_.remove_if([](const Client& client) { return client.gone; });
  if (fds[0].revents) accept_client();
}

void Monitor::accept_client() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  Client& client = clients_.emplace_back(fd, static_cast<MonitorTarget&>(*this), ports_.version,
                                         [this](const std::string& line) { tell_all(line); });
  client.gone = !send_line(client, client.qmp.greeting());
}

bool Monitor::serve(Client& client) {
  char data[4096];
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> control;
  iovec vector{data, sizeof data};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = recvmsg(client.fd, &message, MSG_CMSG_CLOEXEC);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (count <= 0) return false;
  std::vector<int> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    fds.resize((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(fds.data(), CMSG_DATA(part), fds.size() * sizeof(int));
  }
  client.in.append(data, static_cast<size_t>(count));
  bool here = true;
  for (size_t end; here && (end = client.in.find('\n')) != std::string::npos;) {
    const std::string line = client.in.substr(0, end);
    client.in.erase(0, end + 1);
    if (line.find_first_not_of(" \t\r") != std::string::npos) here = send_line(client, client.qmp.answer(line, fds));
  }
  for (const int fd : fds) close(fd);
  return here && client.in.size() <= kMaxLine;
}

bool Monitor::send_line(Client& client, const std::string& line) {
  client.out += line + "\r\n";
  return flush(client) && client.out.size() <= kMaxWaiting;
}

bool Monitor::flush(Client& client) {
  while (!client.out.empty()) {
    const ssize_t count = send(client.fd, client.out.data(), client.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    client.out.erase(0, static_cast<size_t>(count));
  }
  return true;
}

void Monitor::tell_all(const std::string& line) {
  for (Client& client : clients_) client.gone |= !send_line(client, line);
}

// ---- what they ask for

Result<std::unique_ptr<Standstill>> Monitor::stand_still() {
  if (ports_.stop.stopping()) return Error{"the guest has ended"};
  return Standstill::begin(ports_.standstill, kPatience);
}

Result<Monitor::Frozen> Monitor::freeze() {
  Frozen frozen;
  if (!paused_) {
    auto begun = stand_still();
    if (!begun) return begun.take_error();
    frozen.standstill = std::move(*begun);
  }
  frozen.hold = std::make_unique<HoldOfAll>(ports_.standstill.holds, Hold::Freeze);
  if (!frozen.hold->wait(kPatience)) return Error{"the debugger's work on a CPU does not end"};
  return frozen;
}

std::string Monitor::run_state() const {
  if (ports_.stop.stopping()) return "shutdown";
  if (paused_) return "paused";
  return ports_.standstill.timers.is_held(Hold::Debugger) ? "debug" : "running";
}

Result<bool> Monitor::pause() {
  if (paused_) return false;
  auto begun = stand_still();
  if (!begun) return begun.take_error();
  paused_ = std::move(*begun);
  return true;
}

Result<bool> Monitor::resume() {
  const bool was_paused = paused_ != nullptr;
  paused_.reset();
  return was_paused;
}

Result<uint64_t> Monitor::snapshot(int fd, bool quit) {
  if (fd < 0 && files_.snapshot.empty())
    return Error{"no file was given; start with --snapshot-file FILE, or hand a file over by getfd"};
  auto frozen = freeze();
  if (!frozen) return frozen.take_error();
  auto written = fd >= 0 ? ports_.write_snapshot(fd) : snapshot_to_file();
  // The guest does nothing any more.
  if (written && quit) this->quit();
  return written;
}

// The old file stays until the new one is complete.
Result<uint64_t> Monitor::snapshot_to_file() {
  const int fd = create(files_.new_snapshot);
  if (fd < 0) return Error{"cannot make '" + files_.new_snapshot + "': " + std::strerror(errno)};
  auto written = ports_.write_snapshot(fd);
  close(fd);
  if (!written) {
    unlink(files_.new_snapshot.c_str());
    return written;
  }
  if (rename(files_.new_snapshot.c_str(), files_.snapshot.c_str()) != 0)
    return Error{"cannot rename '" + files_.new_snapshot + "' to '" + files_.snapshot + "': " + std::strerror(errno)};
  return written;
}

void Monitor::write_requested_snapshot() {
  const auto written = snapshot(-1, false);
  ports_.say(written ? "crosswalk: snapshot in " + files_.snapshot + ", " + in_mebibytes(*Result(written))
                     : "crosswalk: no snapshot: " + written.error());
}

Result<std::string> Monitor::state() { return ports_.reporter.ask(); }

Result<std::string> Monitor::statistics() {
  if (!statistics_) return Error{"there are no statistics"};
  auto frozen = freeze();
  if (!frozen) return frozen.take_error();
  return statistics_();
}

}  // namespace crosswalk::vmm
