// SPDX-License-Identifier: GPL-2.0-or-later
// Listening at a Unix socket that an option names.
#pragma once

#include <string>

#include "translator/base/result.h"

namespace crosswalk::vmm {

// A non-blocking descriptor that listens at `path`. Only this user may connect. An old socket of
// that name is replaced if nobody listens to it. `option` is named in errors.
Result<int> listen_at_unix_socket(const std::string& option, const std::string& path);

}  // namespace crosswalk::vmm
