// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/control_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "translator/base/result.h"
#include "vmm/base/exit_status.h"
#include "vmm/base/unix_socket.h"

namespace crosswalk::vmm {
namespace {

using Json = nlohmann::json;

int fail(const std::string& message, ExitStatus status = kExitInternalError) {
  std::fprintf(stderr, "crosswalk: %s\n", message.c_str());
  return status;
}

class Connection {
 public:
  explicit Connection(std::string path) : path_(std::move(path)) {}
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<bool> open() {
    auto connected = connect_to_unix_socket("--control", path_);
    if (!connected) return Error{connected.error() + "; is it what a running guest's --control names?"};
    fd_ = *connected;
    auto greeting = read_line();
    if (!greeting) return greeting.take_error();
    return true;
  }

  // The value that the command returns. `file`: a descriptor that goes with it; negative: none.
  Result<Json> execute(const std::string& command, const Json& arguments, int file = -1) {
    Json request{{"execute", command}};
    if (!arguments.empty()) request["arguments"] = arguments;
    if (auto sent = send_line(request.dump() + "\n", file); !sent) return sent.take_error();
    for (;;) {
      auto line = read_line();
      if (!line) return line.take_error();
      const Json answer = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
      if (!answer.is_object()) return error("the answer is not of this protocol");
      if (answer.contains("event")) continue;
      if (answer.contains("return")) return answer["return"];
      return error(answer.value("/error/desc"_json_pointer, std::string("an answer without a value")));
    }
  }

 private:
  Error error(const std::string& what) const { return Error{"--control unix:" + path_ + ": " + what}; }

  Result<bool> send_line(const std::string& line, int file) {
    iovec vector{const_cast<char*>(line.data()), line.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (file >= 0) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* const part = CMSG_FIRSTHDR(&message);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(part), &file, sizeof file);
    }
    if (sendmsg(fd_, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) return error(std::strerror(errno));
    return true;
  }

  Result<std::string> read_line() {
    for (;;) {
      if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      char data[4096];
      const ssize_t count = read(fd_, data, sizeof data);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return error(std::strerror(errno));
      if (count == 0) return error("the run has ended");
      buffer_.append(data, static_cast<size_t>(count));
    }
  }

  std::string path_, buffer_;
  int fd_ = -1;
};

}  // namespace

int run_control(const ControlOptions& options) {
  const Json arguments =
      options.arguments.empty() ? Json::object() : Json::parse(options.arguments, nullptr, /*allow_exceptions=*/false);
  if (!arguments.is_object())
    return fail("--arguments: give a JSON object, such as '{\"quit\": true}'", kExitBadOptions);
  Connection connection(options.control);
  if (auto opened = connection.open(); !opened) return fail(opened.error());
  auto value = connection.execute(options.execute, arguments);
  if (!value) return fail(value.error());
  // A text is for people.
  if (value->is_object() && value->size() == 1 && value->contains("text"))
    std::fputs((*value)["text"].get<std::string>().c_str(), stdout);
  else
    std::printf("%s\n", value->dump(2).c_str());
  return 0;
}

int run_snapshot(const SnapshotOptions& options) {
  const std::string made = options.output + ".new";
  const auto problem = [&](const std::string& what) {
    return fail("--output: " + made + ": " + what, kExitBadOptions);
  };
  const int file = open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return problem(std::strerror(errno));
  Connection connection(options.control);
  const auto written = [&]() -> Result<Json> {
    if (auto opened = connection.open(); !opened) return opened.take_error();
    if (auto handed = connection.execute("getfd", {{"fdname", "snapshot"}}, file); !handed) return handed.take_error();
    return connection.execute("snapshot", {{"fdname", "snapshot"}, {"quit", options.quit}});
  }();
  close(file);
  if (!written) {
    unlink(made.c_str());
    return fail(Result(written).error());
  }
  if (rename(made.c_str(), options.output.c_str()) != 0) return problem(std::strerror(errno));
  return 0;
}

}  // namespace crosswalk::vmm
