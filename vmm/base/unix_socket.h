// SPDX-License-Identifier: GPL-2.0-or-later
// Unix sockets that an option names: listening and connecting.
#pragma once

#include <string>

#include "translator/base/result.h"

namespace crosswalk::vmm {

// A non-blocking descriptor that listens at `path`. Only this user may connect. An old socket of
// that name is replaced if nobody listens to it. `option` is named in errors.
Result<int> listen_at_unix_socket(const std::string& option, const std::string& path);
// A blocking descriptor that is connected to who listens at `path`.
Result<int> connect_to_unix_socket(const std::string& option, const std::string& path);

}  // namespace crosswalk::vmm
