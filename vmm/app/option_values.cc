// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/option_values.h"

#include <sys/stat.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "vmm/machine/loader/guest_memory.h"

namespace crosswalk::vmm {

std::string join(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

uint64_t parse_size(const std::string& text) {
  uint64_t value = 0;
  size_t i = 0;
  for (; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])); ++i) {
    if (value > (~uint64_t{0} >> 4) / 10) return 0;
    value = value * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  if (i == 0) return 0;
  unsigned shift = 0;
  if (i < text.size()) {
    switch (std::toupper(static_cast<unsigned char>(text[i++]))) {
      case 'K': shift = 10; break;
      case 'M': shift = 20; break;
      case 'G': shift = 30; break;
      case 'T': shift = 40; break;
      default: return 0;
    }
  }
  if (i != text.size() || value << shift >> shift != value) return 0;
  return value << shift;
}

Result<uint64_t> parse_memory(const std::string& text) {
  const bool plain = !text.empty() && std::isdigit(static_cast<unsigned char>(text.back()));
  const uint64_t bytes = parse_size(plain ? text + "M" : text);
  if (bytes == 0) return Error{"--memory: '" + text + "' is not a size; give for instance 512M or 1G"};
  if (bytes < kMinMemory || bytes > kMaxMemory) {
    return Error{"--memory: " + text +
                 " is out of range; give 16M to 3G, which is what the 32-bit memory map has room for"};
  }
  if (bytes % kMemoryGranule != 0) return Error{"--memory: " + text + " is not a multiple of 2M; round it"};
  return bytes;
}

Result<unsigned> parse_cpus(const std::string& text) {
  if (text.size() == 1 && text[0] >= '1' && text[0] <= '8') return static_cast<unsigned>(text[0] - '0');
  return Error{"--smp: '" + text + "' is not a number of CPUs; give 1 to 8"};
}

Result<DiskOption> parse_disk(const std::string& text) {
  DiskOption disk{text};
  for (size_t comma; (comma = disk.path.rfind(',')) != std::string::npos; disk.path.resize(comma)) {
    const std::string flag = disk.path.substr(comma + 1);
    if (flag == "readonly") {
      disk.read_only = true;
    } else if (flag == "format=raw") {
      disk.any_format = true;
    } else if (flag.starts_with("format=")) {
      return Error{"--disk: " + flag + " in '" + text + "' is not served; make a raw image (qemu-img convert -O raw)"};
    } else {
      return Error{"--disk: unknown flag '" + flag + "' in '" + text + "'; use FILE[,readonly][,format=raw]"};
    }
  }
  if (auto checked = check_file("--disk", disk.path); !checked) return checked.take_error();
  return disk;
}

Result<bool> check_file(const std::string& option, const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return Error{option + ": " + path + ": " + std::strerror(errno) + "; give the path of an existing file"};
  }
  if (S_ISDIR(status.st_mode)) return Error{option + ": " + path + " is a directory; give a file"};
  return true;
}

Result<bool> check_directory(const std::string& option, const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return Error{option + ": " + path + ": " + std::strerror(errno) + "; give the path of an existing directory"};
  }
  if (!S_ISDIR(status.st_mode)) return Error{option + ": " + path + " is not a directory; give one"};
  return true;
}

Result<bool> check_writable(const std::string& option, const std::string& path) {
  FILE* const opened = std::fopen(path.c_str(), "a");
  if (!opened) {
    return Error{option + ": cannot write '" + path + "' (" + std::strerror(errno) +
                 "); give a file in an existing folder"};
  }
  std::fclose(opened);
  return true;
}

}  // namespace crosswalk::vmm
