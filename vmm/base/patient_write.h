// SPDX-License-Identifier: GPL-2.0-or-later
// Writing to a terminal or pipe that may never take it: one that was stopped, or whose reader does
// not read.
#pragma once

#include <string_view>

namespace crosswalk::vmm {

// Another description of the terminal or pipe behind `fd`, with an O_NONBLOCK of its own (that of
// `fd` itself is shared with other processes). `fd` itself for anything else, or where that is not
// possible: then only poll stands between a write and a long wait.
int reopen_nonblocking(int fd);

// Writes all of `text`, unless `fd` takes nothing for so many milliseconds. Returns whether all was
// written.
bool write_patiently(int fd, std::string_view text, int milliseconds);

// The same for lines of text, with \r\n on a terminal that needs it, as one in raw mode does. fd
// may be -1.
bool print_error(int fd, std::string_view lines, int milliseconds);

}  // namespace crosswalk::vmm
