// SPDX-License-Identifier: GPL-2.0-or-later
// A client of a session, and folders of the host for it: one that is shared, and one outside with a
// secret in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vmm/share/folder.h"
#include "vmm/share/message.h"
#include "vmm/share/session.h"

namespace crosswalk::vmm {

inline constexpr uint32_t kRoot = 1;  // the fid of the folder itself
inline constexpr size_t kMaxFiles = 100;
inline constexpr const char* kSecret = "secret";

class TestFolders {
 public:
  TestFolders() {
    char name[] = "/tmp/crosswalk-share-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    top_ = name;
    std::filesystem::create_directory(shared());
    std::filesystem::create_directory(outside());
    write(outside("file"), kSecret);
  }
  TestFolders(const TestFolders&) = delete;
  TestFolders& operator=(const TestFolders&) = delete;
  ~TestFolders() {
    std::error_code ignored;
    std::filesystem::remove_all(top_, ignored);
  }
  std::string shared(const std::string& name = "") const { return top_ + "/shared" + (name.empty() ? "" : "/") + name; }
  std::string outside(const std::string& name = "") const {
    return top_ + "/outside" + (name.empty() ? "" : "/") + name;
  }
  static void write(const std::string& path, std::string_view content) { std::ofstream(path) << content; }
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string top_;
};

// What follows a message's header.
class Body {
 public:
  template <std::unsigned_integral T>
  Body& operator<<(T value) {
    const auto* const bytes = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    return *this;
  }
  Body& operator<<(std::string_view text) {
    *this << static_cast<uint16_t>(text.size());
    return raw(text);
  }
  Body& raw(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

struct Reply {
  int error = 0;
  std::vector<uint8_t> body;
  MessageReader reader() const { return MessageReader(body); }
};

class ShareTest : public testing::Test {
 protected:
  void share(bool read_only = false, uint32_t message_bytes = 64 << 10) {
    session_.reset();
    auto opened = Folder::open(folders.shared(), read_only);
    ASSERT_TRUE(opened) << opened.error();
    folder_ = std::move(*opened);
    session_ = std::make_unique<Session>(*folder_, kMaxFiles);
    ASSERT_EQ(call(MessageType::Tversion, Body() << message_bytes << "9P2000.L").error, 0);
    ASSERT_EQ(call(MessageType::Tattach, Body() << kRoot << ~0u << "root"
                                                << "" << 0u)
                  .error,
              0);
  }
  Session& session() { return *session_; }
  Folder& folder() { return *folder_; }

  Reply call(MessageType type, const Body& body, size_t room = 1 << 20) {
    std::vector<uint8_t> message(kMessageHeaderBytes);
    message.insert(message.end(), body.bytes().begin(), body.bytes().end());
    const auto size = static_cast<uint32_t>(message.size());
    std::memcpy(message.data(), &size, sizeof size);
    message[4] = static_cast<uint8_t>(type);
    message[5] = 0x34;
    message[6] = 0x12;
    return serve(message, room);
  }
  // Checks the reply's form. `type` is of the request.
  Reply serve(const std::vector<uint8_t>& message, size_t room = 1 << 20) {
    std::vector<uint8_t> reply(room);
    reply.resize(session_->serve(message, reply));
    if (reply.size() < kMessageHeaderBytes) {
      ADD_FAILURE() << "no reply";
      return {EIO, {}};
    }
    MessageReader in(reply);
    EXPECT_EQ(in.get<uint32_t>(), reply.size());
    const auto type = in.get<uint8_t>();
    EXPECT_EQ(in.get<uint16_t>(), message[5] | message[6] << 8);
    Reply result;
    if (type == static_cast<uint8_t>(MessageType::Rlerror)) {
      EXPECT_EQ(reply.size(), kErrorMessageBytes);
      result.error = static_cast<int>(in.get<uint32_t>());
      EXPECT_NE(result.error, 0);
    } else {
      EXPECT_EQ(type, message[4] + 1);
    }
    result.body.assign(reply.begin() + kMessageHeaderBytes, reply.end());
    return result;
  }

  // Each returns 0 or an errno.
  int walk(uint32_t fid, uint32_t new_fid, const std::vector<std::string>& names) {
    Body body;
    body << fid << new_fid << static_cast<uint16_t>(names.size());
    for (const std::string& name : names) body << name;
    const Reply reply = call(MessageType::Twalk, body);
    if (reply.error != 0) return reply.error;
    return reply.reader().get<uint16_t>() == names.size() ? 0 : ENOENT;
  }
  int clunk(uint32_t fid) { return call(MessageType::Tclunk, Body() << fid).error; }
  int open(uint32_t fid, int flags) {
    return call(MessageType::Tlopen, Body() << fid << static_cast<uint32_t>(flags)).error;
  }
  // `fid` is a directory, and then the file.
  int create(uint32_t fid, const std::string& name, int flags = O_RDWR, uint32_t mode = 0644) {
    return call(MessageType::Tlcreate, Body() << fid << name << static_cast<uint32_t>(flags) << mode << 0u).error;
  }
  int mkdir(uint32_t fid, const std::string& name, uint32_t mode = 0755) {
    return call(MessageType::Tmkdir, Body() << fid << name << mode << 0u).error;
  }
  int mknod(uint32_t fid, const std::string& name, uint32_t mode) {
    return call(MessageType::Tmknod, Body() << fid << name << mode << 1u << 3u << 0u).error;
  }
  int symlink(uint32_t fid, const std::string& name, const std::string& target) {
    return call(MessageType::Tsymlink, Body() << fid << name << target << 0u).error;
  }
  int link(uint32_t directory, uint32_t fid, const std::string& name) {
    return call(MessageType::Tlink, Body() << directory << fid << name).error;
  }
  int rename(uint32_t from, const std::string& old_name, uint32_t to, const std::string& new_name) {
    return call(MessageType::Trenameat, Body() << from << old_name << to << new_name).error;
  }
  int unlink(uint32_t fid, const std::string& name, uint32_t flags = 0) {
    return call(MessageType::Tunlinkat, Body() << fid << name << flags).error;
  }
  struct Attributes {
    uint32_t valid = 0, mode = 0, user = 0, group = 0;
    uint64_t size = 0, access_time = 0, modification_time = 0;
  };
  int set(uint32_t fid, const Attributes& a) {
    return call(MessageType::Tsetattr, Body() << fid << a.valid << a.mode << a.user << a.group << a.size
                                              << a.access_time << uint64_t{0} << a.modification_time << uint64_t{0})
        .error;
  }
  int write(uint32_t fid, uint64_t offset, std::string_view data) {
    const Reply reply = call(MessageType::Twrite, Body() << fid << offset << static_cast<uint32_t>(data.size()), data);
    if (reply.error != 0) return reply.error;
    return reply.reader().get<uint32_t>() == data.size() ? 0 : EIO;
  }
  std::pair<int, std::string> read(uint32_t fid, uint64_t offset, uint32_t count) {
    const Reply reply = call(MessageType::Tread, Body() << fid << offset << count);
    if (reply.error != 0) return {reply.error, {}};
    MessageReader in = reply.reader();
    const auto bytes = in.take(in.get<uint32_t>());
    EXPECT_TRUE(in.complete());
    return {0, {bytes.begin(), bytes.end()}};
  }
  struct Status {
    int error = 0;
    uint32_t mode = 0, user = 0;
    uint64_t links = 0, size = 0, modification_time = 0, path = 0;
  };
  Status status(uint32_t fid) {
    const Reply reply = call(MessageType::Tgetattr, Body() << fid << ~uint64_t{0});
    if (reply.error != 0) return {.error = reply.error};
    MessageReader in = reply.reader();
    Status s;
    EXPECT_EQ(in.get<uint64_t>(), 0x7ffu);
    in.take(5);
    s.path = in.get<uint64_t>();
    s.mode = in.get<uint32_t>();
    s.user = in.get<uint32_t>();
    in.get<uint32_t>();
    s.links = in.get<uint64_t>();
    in.get<uint64_t>();
    s.size = in.get<uint64_t>();
    in.take(16 + 16);
    s.modification_time = in.get<uint64_t>();
    EXPECT_EQ(reply.body.size(), 8u + 13 + 3 * 4 + 5 * 8 + 8 * 8 + 2 * 8);
    return s;
  }
  struct Entry {
    std::string name;
    uint64_t offset;
    uint8_t type;
  };
  std::pair<int, std::vector<Entry>> entries(uint32_t fid, uint64_t offset, uint32_t count) {
    const Reply reply = call(MessageType::Treaddir, Body() << fid << offset << count);
    if (reply.error != 0) return {reply.error, {}};
    MessageReader in = reply.reader();
    const auto bytes = in.take(in.get<uint32_t>());
    EXPECT_LE(bytes.size(), count);
    std::vector<Entry> list;
    for (size_t left = bytes.size(); left != 0;) {
      MessageReader one(bytes.last(left));
      one.take(kQidBytes);
      Entry entry;
      entry.offset = one.get<uint64_t>();
      entry.type = one.get<uint8_t>();
      entry.name = one.text();
      EXPECT_TRUE(one.complete());
      if (!one.complete()) break;
      left -= kQidBytes + 8 + 1 + 2 + entry.name.size();
      list.push_back(entry);
    }
    return {0, list};
  }

  TestFolders folders;

 private:
  Reply call(MessageType type, Body& body, std::string_view data) { return call(type, body.raw(data)); }

  std::unique_ptr<Folder> folder_;
  std::unique_ptr<Session> session_;
};

}  // namespace crosswalk::vmm
