// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of 9P2000.L, in a folder of its own.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/fuzz/input.h"
#include "vmm/share/folder.h"
#include "vmm/share/message.h"
#include "vmm/share/session.h"

using namespace crosswalk;

namespace {

// Removed when the program ends.
class ScratchFolder {
 public:
  ScratchFolder() {
    if (!mkdtemp(path_)) std::abort();
    std::filesystem::create_directory(shared());
    std::filesystem::create_symlink("/etc", shared() + "/l");
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string shared() const { return std::string(path_) + "/shared"; }
  // Nothing else was made beside the folder.
  bool is_intact() const {
    const std::filesystem::directory_iterator entries(path_);
    return std::distance(begin(entries), end(entries)) == 1;
  }

 private:
  char path_[32] = "/tmp/crosswalk-fuzz-XXXXXX";
};

void serve(vmm::Session& session, vmm::MessageType type, fuzz::Input& in, size_t bytes) {
  std::vector<uint8_t> message(vmm::kMessageHeaderBytes + bytes), reply(in.u8() * 64u);
  message[0] = static_cast<uint8_t>(message.size());
  message[1] = static_cast<uint8_t>(message.size() >> 8);
  message[4] = static_cast<uint8_t>(type);
  in.copy(message.data() + vmm::kMessageHeaderBytes, bytes);
  if (session.serve(message, reply) > reply.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ScratchFolder scratch;
  fuzz::Input in(data, size);
  auto folder = vmm::Folder::open(scratch.shared(), (in.u8() & 7) == 7);
  if (!folder) std::abort();
  vmm::Session session(**folder, 16);
  // What every client begins with: 64 KiB messages, and fid 0 on the folder.
  const std::array<uint8_t, 14> version{0, 0, 1, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L'};
  const std::array<uint8_t, 16> attach{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
  for (const auto& [type, body] : {std::pair{vmm::MessageType::Tversion, std::span<const uint8_t>(version)},
                                   std::pair{vmm::MessageType::Tattach, std::span<const uint8_t>(attach)}}) {
    const std::array<uint8_t, 1> room{1};
    std::vector<uint8_t> bytes(room.begin(), room.end());
    bytes.insert(bytes.end(), body.begin(), body.end());
    fuzz::Input start(bytes.data(), bytes.size());
    serve(session, type, start, body.size());
  }
  while (!in.empty()) {
    const auto type = static_cast<vmm::MessageType>(in.u8());
    serve(session, type, in, in.u8());
  }
  if (!scratch.is_intact()) std::abort();
  return 0;
}
