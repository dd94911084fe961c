// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/bench/bench_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace crosswalk::vmm {

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, unsigned timeout_seconds)
    : start_(Clock::now()), left_(std::chrono::seconds(timeout_seconds)) {
  // A socket for the input, because writing to one that nobody reads need not raise SIGPIPE. The
  // last pipe closes when the program has been executed, and else says why not.
  int in[2] = {-1, -1}, out[2] = {-1, -1}, error[2] = {-1, -1}, failure[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0 || ::pipe2(out, O_CLOEXEC) != 0 ||
      ::pipe2(error, O_CLOEXEC) != 0 || ::pipe2(failure, O_CLOEXEC) != 0) {
    outcome_.error_text = std::string("cannot make a pipe: ") + std::strerror(errno);
    for (const int fd : {in[0], in[1], out[0], out[1], error[0], error[1]})
      if (fd >= 0) ::close(fd);
    return;
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  child_ = ::fork();
  if (child_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no guest outlives the benchmark
    ::dup2(in[1], 0);
    ::dup2(out[1], 1);
    ::dup2(error[1], 2);
    ::execvp(argv[0], argv.data());
    const int why = errno;
    ::_exit(::write(failure[1], &why, sizeof why) == sizeof why ? 127 : 126);
  }
  int why = child_ < 0 ? errno : 0;
  for (const int fd : {in[1], out[1], error[1], failure[1]}) ::close(fd);
  while (child_ > 0 && ::read(failure[0], &why, sizeof why) < 0 && errno == EINTR) {
  }
  ::close(failure[0]);
  input_ = in[0];
  out_.fd = out[0];
  error_.fd = error[0];
  if (why != 0) {
    outcome_.error_text = "cannot run " + arguments[0] + ": " + std::strerror(why);
    while (child_ > 0 && ::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
    return;
  }
  outcome_.started = true;
}

ChildProcess::~ChildProcess() {
  if (child_ > 0) ::kill(child_, SIGKILL);
  finish();
  for (const int fd : {out_.fd, error_.fd})
    if (fd >= 0) ::close(fd);
}

template <class Sink>
void ChildProcess::read_some(Stream& stream, Sink&& sink) {
  char buffer[4096];
  const ssize_t count = ::read(stream.fd, buffer, sizeof buffer);
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) {
    if (!stream.partial.empty()) sink(stream.partial);
    ::close(stream.fd);
    stream.fd = -1;
    return;
  }
  for (ssize_t i = 0; i < count; ++i) {
    if (buffer[i] == '\n') {
      sink(stream.partial);
      stream.partial.clear();
    } else if (buffer[i] != '\r') {
      stream.partial += buffer[i];
    }
  }
}

std::optional<std::string> ChildProcess::wait_for_line(const std::string& prefix) {
  const Clock::time_point deadline = Clock::now() + left_;
  std::optional<std::string> found;
  while (!found && (out_.fd >= 0 || error_.fd >= 0)) {
    left_ = deadline - Clock::now();
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(left_).count();
    if (milliseconds <= 0) {
      outcome_.timed_out = true;
      ::kill(child_, SIGKILL);
      break;
    }
    pollfd descriptors[2] = {{out_.fd, POLLIN, 0}, {error_.fd, POLLIN, 0}};
    if (::poll(descriptors, 2, static_cast<int>(milliseconds)) < 0 && errno != EINTR) break;
    const double now = std::chrono::duration<double>(Clock::now() - start_).count();
    if (descriptors[0].revents)
      read_some(out_, [&](const std::string& text) {
        outcome_.lines.push_back({now, text});
        if (!prefix.empty() && text.starts_with(prefix)) found = text.substr(prefix.size());
      });
    if (descriptors[1].revents)
      read_some(error_, [&](const std::string& text) {
        if (!text.empty()) outcome_.error_text = text;
      });
  }
  left_ = deadline - Clock::now();
  return found;
}

void ChildProcess::send_line(const std::string& text) {
  const std::string line = text + "\n";
  ::send(input_, line.data(), line.size(), MSG_NOSIGNAL);
}

void ChildProcess::close_input() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

const ProcessOutcome& ChildProcess::finish() {
  close_input();
  if (child_ < 0) return outcome_;
  if (!outcome_.timed_out) wait_for_line("");
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  outcome_.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome_;
}

ProcessOutcome run_process(const std::vector<std::string>& arguments, unsigned timeout_seconds) {
  return ChildProcess(arguments, timeout_seconds).finish();
}

}  // namespace crosswalk::vmm
