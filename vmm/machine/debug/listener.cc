// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/debug/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "vmm/base/unix_socket.h"

namespace crosswalk::vmm {
namespace {

constexpr int kWaiting = 1;  // connections that are not accepted yet

Result<int> error_of(const std::string& option, const std::string& what, int error) {
  return Error{option + ": cannot listen at " + what + ": " + std::strerror(error)};
}

}  // namespace

Result<ListenAddress> parse_listen_address(const std::string& text) {
  ListenAddress address;
  if (text.starts_with("unix:")) {
    address.path = text.substr(5);
    if (address.path.empty()) return Error{"'" + text + "' has no path; give unix:PATH"};
    return address;
  }
  const std::string rest = text.starts_with("tcp:") ? text.substr(4) : text;
  const size_t colon = rest.rfind(':');
  address.port = colon == std::string::npos ? rest : rest.substr(colon + 1);
  address.host = colon == std::string::npos ? "" : rest.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty()) address.host = "127.0.0.1";
  const bool digits = !address.port.empty() && address.port.size() <= 5 &&
                      std::ranges::all_of(address.port, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoul(address.port) == 0 || std::stoul(address.port) > 65535)
    return Error{"'" + text + "' is no place to listen at; give [HOST:]PORT or unix:PATH"};
  return address;
}

Result<int> listen_at(const ListenAddress& address, const std::string& option) {
  if (!address.path.empty()) return listen_at_unix_socket(option, address.path);
  const std::string name = address.host + ", port " + address.port;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &list); error != 0)
    return Error{option + ": cannot listen at " + name + ": " + gai_strerror(error)};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(list, &freeaddrinfo);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return error_of(option, name, errno);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // its connections inherit it
  if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, kWaiting) == 0) return fd;
  const int error = errno;
  close(fd);
  return error_of(option, name, error);
}

}  // namespace crosswalk::vmm
