// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/bench_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

extern char** environ;

namespace crosswalk::vmm {
namespace {

using Clock = std::chrono::steady_clock;

// Collects bytes of a pipe into lines.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}
  ~LineReader() { ::close(fd_); }
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  int fd() const { return fd_; }

  // Returns false at the end of the stream. `sink` receives each complete line.
  template <class Sink>
  bool read_some(Sink&& sink) {
    char buffer[4096];
    const ssize_t count = ::read(fd_, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) {
      if (!partial_.empty()) sink(partial_);
      return false;
    }
    for (ssize_t i = 0; i < count; ++i) {
      if (buffer[i] == '\n') {
        sink(partial_);
        partial_.clear();
      } else if (buffer[i] != '\r') {
        partial_ += buffer[i];
      }
    }
    return true;
  }

 private:
  int fd_;
  std::string partial_;
};

}  // namespace

ProcessOutcome run_process(const std::vector<std::string>& arguments, unsigned timeout_seconds) {
  ProcessOutcome outcome;
  int out[2], error[2];
  if (::pipe2(out, O_CLOEXEC) != 0) {
    outcome.error_text = std::string("cannot make a pipe: ") + std::strerror(errno);
    return outcome;
  }
  if (::pipe2(error, O_CLOEXEC) != 0) {
    outcome.error_text = std::string("cannot make a pipe: ") + std::strerror(errno);
    ::close(out[0]);
    ::close(out[1]);
    return outcome;
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, error[1], 2);
  const Clock::time_point start = Clock::now();
  pid_t child = -1;
  const int spawned = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  ::close(error[1]);
  LineReader out_reader(out[0]), error_reader(error[0]);
  if (spawned != 0) {
    outcome.error_text = "cannot run " + arguments[0] + ": " + std::strerror(spawned);
    return outcome;
  }
  outcome.started = true;

  const auto deadline = start + std::chrono::seconds(timeout_seconds);
  bool out_open = true, error_open = true;
  while (out_open || error_open) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      outcome.timed_out = true;
      ::kill(child, SIGKILL);
      break;
    }
    pollfd descriptors[2] = {{out_open ? out_reader.fd() : -1, POLLIN, 0},
                             {error_open ? error_reader.fd() : -1, POLLIN, 0}};
    if (::poll(descriptors, 2, static_cast<int>(left)) < 0 && errno != EINTR) break;
    const double now = std::chrono::duration<double>(Clock::now() - start).count();
    if (descriptors[0].revents)
      out_open = out_reader.read_some([&](const std::string& text) { outcome.lines.push_back({now, text}); });
    if (descriptors[1].revents)
      error_open = error_reader.read_some([&](const std::string& text) {
        if (!text.empty()) outcome.error_text = text;
      });
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace crosswalk::vmm
