// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/option_values.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string_view>

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

Result<uint8_t> parse_escape(const std::string& text) {
  if (text == "none") return uint8_t{0};
  if (text.size() == 1 && text[0] >= 'a' && text[0] <= 'z') return static_cast<uint8_t>(text[0] - 'a' + 1);
  return Error{"--escape: '" + text + "' is not a letter from a to z; give one, or none"};
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

// The folder's name may have commas; its tag has none.
Result<ShareConfig> parse_share(const std::string& text) {
  constexpr std::string_view kReadOnly = ",readonly";
  ShareConfig share;
  share.read_only = text.ends_with(kReadOnly);
  const std::string named = share.read_only ? text.substr(0, text.size() - kReadOnly.size()) : text;
  const size_t comma = named.rfind(',');
  if (comma == std::string::npos || comma == 0 || comma + 1 == named.size())
    return Error{"--share: '" + text + "' is not understood; give DIR,TAG[,readonly], for instance .,host"};
  share.path = named.substr(0, comma);
  share.tag = named.substr(comma + 1);
  if (share.tag.size() > kMaxShareTagBytes) {
    return Error{"--share: the tag '" + share.tag + "' is longer than " + std::to_string(kMaxShareTagBytes) +
                 " bytes; give a shorter one"};
  }
  if (auto checked = check_directory("--share", share.path); !checked) return checked.take_error();
  return share;
}

Result<FlashOption> parse_flash(const std::string& text) {
  FlashOption flash{text};
  for (size_t comma; (comma = flash.path.rfind(',')) != std::string::npos; flash.path.resize(comma)) {
    const std::string flag = flash.path.substr(comma + 1);
    if (flag == "readonly") {
      flash.read_only = true;
    } else if (flag == "unit=0" || flag == "unit=1") {
      flash.unit = flag.back() - '0';
    } else {
      return Error{"--pflash: unknown flag '" + flag + "' in '" + text + "'; use FILE[,readonly][,unit=0|1]"};
    }
  }
  if (auto checked = check_file("--pflash", flash.path); !checked) return checked.take_error();
  return flash;
}

namespace {

// 1 to 65535; 0 when malformed.
uint16_t parse_port(const std::string& text) {
  const uint64_t port = text.find_first_not_of("0123456789") == std::string::npos ? parse_size(text) : 0;
  return port <= 0xffff ? static_cast<uint16_t>(port) : 0;
}

// [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT, as QEMU has it.
Result<HostForward> parse_forward(const std::string& text) {
  const Error error{"--net: hostfwd=" + text +
                    " is not understood; give for instance hostfwd=tcp:127.0.0.1:2222-:22 ([tcp|udp]:[HOSTADDR]:PORT-"
                    "[GUESTADDR]:PORT)"};
  HostForward forward{.text = text};
  const size_t protocol = text.find(':'), dash = text.rfind('-');
  if (protocol == std::string::npos || dash == std::string::npos || dash < protocol) return error;
  const std::string name = text.substr(0, protocol);
  if (!name.empty() && name != "tcp" && name != "udp") return error;
  forward.udp = name == "udp";
  const auto parse_end = [](const std::string& end, in_addr& address, uint16_t& port) {
    const size_t colon = end.rfind(':');
    if (colon == std::string::npos) return false;
    port = parse_port(end.substr(colon + 1));
    return port != 0 && (colon == 0 || inet_pton(AF_INET, end.substr(0, colon).c_str(), &address) == 1);
  };
  if (!parse_end(text.substr(protocol + 1, dash - protocol - 1), forward.host, forward.host_port) ||
      !parse_end(text.substr(dash + 1), forward.guest, forward.guest_port))
    return error;
  return forward;
}

// Six bytes in hexadecimal, of one card: not a group's address, nor 0.
Result<MacAddress> parse_mac(const std::string& text) {
  MacAddress mac;
  int end = 0;
  const bool parsed = std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
                                  &mac[3], &mac[4], &mac[5], &end) == 6 &&
                      static_cast<size_t>(end) == text.size();
  if (parsed && !(mac[0] & 1) && mac != MacAddress{}) return mac;
  return Error{"--net: mac=" + text + " is not the address of a card; give for instance mac=52:54:00:12:34:56"};
}

}  // namespace

Result<NetConfig> parse_net(const std::string& text) {
  static constexpr std::pair<const char*, NetKind> kKinds[] = {
      {"none", NetKind::None}, {"user", NetKind::User}, {"tap", NetKind::Tap}};
  static constexpr std::pair<const char*, bool> kSwitch[] = {{"on", true}, {"off", false}};
  NetConfig config;
  const std::vector<std::string> parts = split(text);
  auto kind = choose(kKinds, "--net", parts.empty() ? "" : parts.front());
  if (!kind) return kind.take_error();
  config.kind = *kind;
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    const std::string name = parts[i].substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : parts[i].substr(equals + 1);
    if (name == "mac" && config.kind != NetKind::None) {
      auto mac = parse_mac(value);
      if (!mac) return mac.take_error();
      config.mac = *mac;
    } else if (name == "hostfwd" && config.kind == NetKind::User) {
      auto forward = parse_forward(value);
      if (!forward) return forward.take_error();
      config.forwards.push_back(*forward);
    } else if (name == "restrict" && config.kind == NetKind::User) {
      auto restricted = choose(kSwitch, "--net: restrict", value);
      if (!restricted) return restricted.take_error();
      config.restricted = *restricted;
    } else if (name == "tftp" && config.kind == NetKind::User) {
      if (auto checked = check_directory("--net: tftp", value); !checked) return checked.take_error();
      const std::unique_ptr<char, decltype(&std::free)> path(realpath(value.c_str(), nullptr), &std::free);
      if (!path) return Error{"--net: tftp=" + value + ": " + std::strerror(errno)};
      config.tftp = path.get();
    } else if (name == "bootfile" && config.kind == NetKind::User) {
      // That and a NUL are what a DHCP packet has room for (RFC 2131).
      if (value.empty() || value.size() > 127)
        return Error{"--net: bootfile=" + value + " is not a name of 1 to 127 bytes"};
      config.bootfile = value;
    } else if (name == "ifname" && config.kind == NetKind::Tap) {
      config.interface = value;
    } else if (name == "queues" && config.kind == NetKind::Tap) {
      if (value.size() != 1 || value[0] < '1' || value[0] > static_cast<char>('0' + kMaxQueuePairs))
        return Error{"--net: queues=" + value + " is not a number of pairs of queues; give 1 to " +
                     std::to_string(kMaxQueuePairs)};
      config.queues = static_cast<unsigned>(value[0] - '0');
    } else {
      return Error{
          "--net: unknown word '" + parts[i] + "' of " + parts.front() +
          "; user takes hostfwd=, restrict=on, tftp=, bootfile= and mac=, tap takes ifname=, queues= and mac=, and "
          "none takes nothing"};
    }
  }
  if (config.kind == NetKind::Tap && config.interface.empty())
    return Error{"--net tap: no interface of the host is named; give for instance --net tap,ifname=tap0"};
  return config;
}

Result<bool> check_file(const std::string& option, const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return Error{option + ": " + path + ": " + std::strerror(errno) + "; give the path of an existing file"};
  }
  if (S_ISDIR(status.st_mode)) return Error{option + ": " + path + " is a directory; give a file"};
  return true;
}

Result<SerialConfig> parse_serial(const std::string& text) {
  using Kind = SerialConfig::Kind;
  for (const auto& [name, kind] :
       {std::pair{"stdio", Kind::Stdio}, std::pair{"pty", Kind::Pty}, std::pair{"null", Kind::Null}})
    if (text == name) return SerialConfig{kind, ""};
  for (const auto& [prefix, kind] : {std::pair{"unix:", Kind::Socket}, std::pair{"file:", Kind::File}}) {
    const size_t length = std::strlen(prefix);
    if (text.starts_with(prefix) && text.size() > length) return SerialConfig{kind, text.substr(length)};
  }
  return Error{"--serial: unknown value '" + text + "'; use one of: stdio, pty, null, unix:PATH, file:PATH"};
}

Result<std::string> parse_socket(const std::string& option, const std::string& text) {
  constexpr std::string_view kPrefix = "unix:";
  if (!text.starts_with(kPrefix) || text.size() == kPrefix.size())
    return Error{option + ": '" + text + "' is not a socket; give unix:PATH"};
  return text.substr(kPrefix.size());
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
