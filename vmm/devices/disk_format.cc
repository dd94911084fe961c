// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/disk_format.h"

#include <unistd.h>

#include <string_view>

namespace crosswalk::vmm {
namespace {

using namespace std::string_view_literals;

enum class Tool : uint8_t { QemuImg, Gunzip, Unxz, Zstd, Bunzip2, Unzip };

struct Format {
  const char* name;
  int64_t offset;  // negative: from the end of the file
  std::string_view magic;
  Tool tool;
};

// The offsets and magic numbers of QEMU 7.2's block drivers, and of the programs that compress.
constexpr Format kFormats[] = {
    {"a qcow2 image", 0, "QFI\xfb"sv, Tool::QemuImg},
    {"a QED image", 0, "QED\0"sv, Tool::QemuImg},
    {"a VMDK image", 0, "KDMV"sv, Tool::QemuImg},
    {"a VMDK image", 0, "COWD"sv, Tool::QemuImg},
    {"a VMDK descriptor", 0, "# Disk DescriptorFile"sv, Tool::QemuImg},
    {"a VHD image", 0, "conectix"sv, Tool::QemuImg},
    {"a VHD image", -512, "conectix"sv, Tool::QemuImg},  // of fixed size
    {"a VHDX image", 0, "vhdxfile"sv, Tool::QemuImg},
    {"a VDI image", 0x40, "\x7f\x10\xda\xbe"sv, Tool::QemuImg},
    {"a Parallels image", 0, "WithoutFreeSpace"sv, Tool::QemuImg},
    {"a Parallels image", 0, "WithouFreSpacExt"sv, Tool::QemuImg},
    {"a DMG image", -512, "koly"sv, Tool::QemuImg},
    {"compressed by gzip", 0, "\x1f\x8b\x08"sv, Tool::Gunzip},
    {"compressed by xz", 0,
     "\xfd"
     "7zXZ\0"sv,
     Tool::Unxz},
    {"compressed by zstd", 0, "\x28\xb5\x2f\xfd"sv, Tool::Zstd},
    {"compressed by bzip2", 0, "BZh"sv, Tool::Bunzip2},
    {"a zip archive", 0, "PK\3\4"sv, Tool::Unzip},
};

// A word for a shell.
std::string quoted(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:=@%";
  if (text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string command_of(Tool tool, const std::string& path) {
  const std::string from = quoted(path), to = quoted(path + ".raw");
  switch (tool) {
    case Tool::QemuImg: return "qemu-img convert -O raw " + from + " " + to;
    case Tool::Gunzip: return "gzip -dc " + from + " > " + to;
    case Tool::Unxz: return "xz -dc " + from + " > " + to;
    case Tool::Zstd: return "zstd -d " + from + " -o " + to;
    case Tool::Bunzip2: return "bzip2 -dc " + from + " > " + to;
    case Tool::Unzip: return "unzip " + from;
  }
  return "";
}

}  // namespace

std::optional<ForeignFormat> find_foreign_format(int fd, uint64_t bytes, const std::string& path) {
  for (const Format& format : kFormats) {
    const int64_t at = format.offset < 0 ? static_cast<int64_t>(bytes) + format.offset : format.offset;
    char found[32];
    const size_t size = format.magic.size();
    if (at < 0 || pread(fd, found, size, at) != static_cast<ssize_t>(size)) continue;
    if (std::string_view(found, size) == format.magic) return ForeignFormat{format.name, command_of(format.tool, path)};
  }
  return std::nullopt;
}

}  // namespace crosswalk::vmm
