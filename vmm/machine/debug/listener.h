// SPDX-License-Identifier: GPL-2.0-or-later
// Where connections are waited for: a TCP port, or a socket in the file system.
#pragma once

#include <string>

#include "translator/base/result.h"

namespace crosswalk::vmm {

struct ListenAddress {
  std::string path;  // of a socket; empty: TCP
  std::string host, port;
};

// "[HOST:]PORT", "[IPV6]:PORT" or "unix:PATH"; also QEMU's "tcp:[HOST]:PORT". Without a host, the
// loopback address. An error says what is wrong with the text.
Result<ListenAddress> parse_listen_address(const std::string& text);

// A socket that listens, and does not block; at a path, as listen_at_unix_socket(). An error begins
// with `option`.
Result<int> listen_at(const ListenAddress& address, const std::string& option);

}  // namespace crosswalk::vmm
