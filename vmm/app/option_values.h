// SPDX-License-Identifier: GPL-2.0-or-later
// From the texts that options have to what they stand for. An error begins with the option's name
// and says what to give instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "translator/base/result.h"
#include "vmm/machine/control/serial_backend.h"
#include "vmm/net/net_config.h"
#include "vmm/share/share_config.h"

namespace crosswalk::vmm {

struct DiskOption {
  std::string path;
  bool read_only = false;
  bool any_format = false;  // format=raw
};

struct FlashOption {
  std::string path;
  bool read_only = false;
  int unit = -1;  // the bank, 0 or 1; -1: the next one
};

std::string join(const std::vector<std::string>& words, const char* separator);
// At commas.
std::vector<std::string> split(const std::string& text);

// "512M", "1G", "1048576K", or bytes. Returns 0 when malformed or too large for 64 bits.
uint64_t parse_size(const std::string& text);
// --memory, in bytes. A plain number is MiB, as in QEMU's -m.
Result<uint64_t> parse_memory(const std::string& text);
// --smp: 1 to 8.
Result<unsigned> parse_cpus(const std::string& text);
// --escape, as the byte that the key sends: 1 to 26; 0: none.
Result<uint8_t> parse_escape(const std::string& text);
// --disk. The file must be there.
Result<DiskOption> parse_disk(const std::string& text);

// --share. The folder must be there.
Result<ShareConfig> parse_share(const std::string& text);
// --pflash. The file must be there.
Result<FlashOption> parse_flash(const std::string& text);
// --net.
Result<NetConfig> parse_net(const std::string& text);

// Whether `path` is a file that is there, a directory, or a file that can be written; it is made if
// there is none.
Result<bool> check_file(const std::string& option, const std::string& path);
// stdio, pty, null, unix:PATH or file:PATH.
Result<SerialConfig> parse_serial(const std::string& text);
// The path of "unix:PATH".
Result<std::string> parse_socket(const std::string& option, const std::string& text);
Result<bool> check_directory(const std::string& option, const std::string& path);
Result<bool> check_writable(const std::string& option, const std::string& path);

// The value with the name `text`.
template <class Value, size_t N>
Result<Value> choose(const std::pair<const char*, Value> (&table)[N], const std::string& option,
                     const std::string& text) {
  std::string names;
  for (const auto& [name, value] : table) {
    if (text == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return Error{option + ": unknown value '" + text + "'; use one of: " + names};
}

// Whether `text` is one of the names.
template <size_t N>
Result<bool> check_name(const char* const (&table)[N], const std::string& option, const std::string& text) {
  std::string names;
  for (const char* name : table) {
    if (text == name) return true;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return Error{option + ": unknown value '" + text + "'; use one of: " + names};
}

}  // namespace crosswalk::vmm
