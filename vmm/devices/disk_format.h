// SPDX-License-Identifier: GPL-2.0-or-later
// Recognises files that are no raw disk images. A guest would find rubbish in them, and destroy
// them by writing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace crosswalk::vmm {

struct ForeignFormat {
  std::string name;     // "a qcow2 image"
  std::string command;  // the command that makes a raw image of the file
};

// Looks at the first and last bytes of an open file of `bytes` bytes. Nothing: it may well be a raw
// image.
std::optional<ForeignFormat> find_foreign_format(int fd, uint64_t bytes, const std::string& path);

}  // namespace crosswalk::vmm
