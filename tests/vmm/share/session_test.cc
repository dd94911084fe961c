// SPDX-License-Identifier: GPL-2.0-or-later
// What a client can do with a folder, and what it gets for messages that are wrong.
#include "vmm/share/session.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/vmm/share/client.h"

namespace crosswalk::vmm {
namespace {

TEST_F(ShareTest, AgreesOnAVersionAndASize) {
  auto folder = Folder::open(folders.shared(), false);
  ASSERT_TRUE(folder) << folder.error();
  share();
  EXPECT_TRUE(session().attached());
  const auto version = [&](uint32_t bytes, const std::string& name) {
    const Reply reply = call(MessageType::Tversion, Body() << bytes << name);
    MessageReader in = reply.reader();
    const auto agreed = in.get<uint32_t>();
    return std::pair(agreed, reply.error ? "" : in.text());
  };
  EXPECT_EQ(version(8192, "9P2000.L"), std::pair(8192u, std::string("9P2000.L")));
  EXPECT_FALSE(session().attached());  // a new session
  EXPECT_EQ(version(~0u, "9P2000.L"), std::pair(Session::kMaxMessageBytes, std::string("9P2000.L")));
  EXPECT_EQ(version(8192, "9P2000.u").second, "unknown");
  EXPECT_EQ(call(MessageType::Tattach, Body() << kRoot << ~0u << "root"
                                              << "" << 0u)
                .error,
            EPROTO);
  EXPECT_EQ(call(MessageType::Tversion, Body() << 4095u << "9P2000.L").error, EMSGSIZE);
}

TEST_F(ShareTest, ThereIsOneTreeAndNoAuthentication) {
  share();
  EXPECT_EQ(call(MessageType::Tattach, Body() << 2u << ~0u << "user"
                                              << "/" << 1000u)
                .error,
            0);
  EXPECT_EQ(call(MessageType::Tattach, Body() << 3u << ~0u << "user"
                                              << "/etc" << 0u)
                .error,
            ENOENT);
  EXPECT_EQ(call(MessageType::Tattach, Body() << 3u << 7u << "user"
                                              << "" << 0u)
                .error,
            EINVAL);
  EXPECT_EQ(call(MessageType::Tattach, Body() << 2u << ~0u << "user"
                                              << "" << 0u)
                .error,
            EINVAL)
      << "in use";
  EXPECT_EQ(call(MessageType::Tauth, Body() << 3u << "user"
                                            << "" << 0u)
                .error,
            EOPNOTSUPP);
  EXPECT_TRUE(status(kRoot).mode & S_IFDIR);
}

TEST_F(ShareTest, WalksNameByName) {
  share();
  std::filesystem::create_directories(folders.shared("a/b"));
  TestFolders::write(folders.shared("a/b/file"), "text");
  EXPECT_EQ(walk(kRoot, 2, {"a", "b", "file"}), 0);
  EXPECT_EQ(status(2).size, 4u);
  EXPECT_EQ(walk(kRoot, 2, {"a"}), EINVAL) << "in use";
  EXPECT_EQ(walk(kRoot, 3, {"no"}), ENOENT);
  // Half the way: as many qids as names were found, and no fid.
  const Reply reply = call(MessageType::Twalk, Body() << kRoot << 3u << uint16_t{3} << "a"
                                                      << "no"
                                                      << "file");
  EXPECT_EQ(reply.error, 0);
  EXPECT_EQ(reply.body.size(), 2 + kQidBytes);
  EXPECT_EQ(clunk(3), EBADF);
  EXPECT_EQ(walk(2, 3, {"x"}), ENOTDIR);
  EXPECT_EQ(walk(2, 3, {}), 0) << "a copy";
  EXPECT_EQ(walk(3, 3, {}), 0);
  EXPECT_EQ(walk(kRoot, 4, {"a", "..", ".", "a", "b"}), 0);
  EXPECT_EQ(walk(4, 4, {".."}), 0) << "the fid itself moves";
  EXPECT_EQ(walk(4, 5, {"b", "file"}), 0);
  EXPECT_EQ(walk(99, 6, {}), EBADF);
  EXPECT_EQ(walk(kRoot, ~0u, {}), EINVAL);
  EXPECT_EQ(walk(kRoot, 6, std::vector<std::string>(16, ".")), 0);
  EXPECT_EQ(walk(kRoot, 7, std::vector<std::string>(17, ".")), EINVAL);
  EXPECT_EQ(walk(kRoot, 7, {std::string(255, 'n')}), ENOENT);
  EXPECT_EQ(walk(kRoot, 7, {std::string(256, 'n')}), ENAMETOOLONG);
}

TEST_F(ShareTest, FilesAreMadeWrittenAndRead) {
  share();
  ASSERT_EQ(walk(kRoot, 2, {}), 0);
  ASSERT_EQ(create(2, "file", O_RDWR, 0640), 0);
  EXPECT_EQ(write(2, 3, "text"), 0);
  EXPECT_EQ(read(2, 0, 100), std::pair(0, std::string("\0\0\0text", 7)));
  EXPECT_EQ(read(2, 7, 100), std::pair(0, std::string()));
  EXPECT_EQ(read(2, uint64_t{1} << 63, 1).first, EINVAL);
  EXPECT_EQ(write(2, uint64_t{1} << 63, "x"), EINVAL);
  EXPECT_EQ(call(MessageType::Tfsync, Body() << 2u << 0u).error, 0);
  EXPECT_EQ(call(MessageType::Tfsync, Body() << 2u << 1u).error, 0);
  EXPECT_EQ(call(MessageType::Tfsync, Body() << kRoot << 1u).error, EBADF) << "not open";
  EXPECT_EQ(open(2, O_RDONLY), EINVAL) << "open already";
  EXPECT_EQ(clunk(2), 0);
  EXPECT_EQ(read(2, 0, 1).first, EBADF);
  EXPECT_EQ(TestFolders::content(folders.shared("file")), std::string("\0\0\0text", 7));

  ASSERT_EQ(walk(kRoot, 2, {"file"}), 0);
  EXPECT_EQ(read(2, 0, 1).first, EBADF) << "not open";
  EXPECT_EQ(write(2, 0, "x"), EBADF);
  ASSERT_EQ(open(2, O_WRONLY | O_APPEND), 0);
  EXPECT_EQ(read(2, 0, 1).first, EBADF);
  EXPECT_EQ(write(2, 0, "!"), 0);
  EXPECT_EQ(status(2).size, 8u);
  ASSERT_EQ(walk(kRoot, 3, {"file"}), 0);
  ASSERT_EQ(open(3, O_RDWR | O_TRUNC), 0);
  EXPECT_EQ(status(2).size, 0u);
  ASSERT_EQ(walk(kRoot, 4, {}), 0);
  EXPECT_EQ(create(4, "file", O_RDWR | O_EXCL), EEXIST);
  EXPECT_EQ(create(4, "file", O_RDWR), 0) << "the one that is there";
  ASSERT_EQ(walk(kRoot, 5, {}), 0);
  EXPECT_EQ(open(5, O_RDWR), EISDIR);
  EXPECT_EQ(open(5, 3), EINVAL);
  EXPECT_EQ(call(MessageType::Tclunk, Body()).error, EPROTO);
}

TEST_F(ShareTest, MessagesHaveTheAgreedSizeAtMost) {
  share(false, 4096);
  ASSERT_EQ(walk(kRoot, 2, {}), 0);
  ASSERT_EQ(create(2, "file"), 0);
  const std::string most(4096 - kMessageHeaderBytes - 16, 'x');
  EXPECT_EQ(write(2, 0, most), 0);
  EXPECT_EQ(write(2, 0, most + "x"), EMSGSIZE);
  EXPECT_EQ(status(2).size, most.size());
  // A read is cut to what the reply, and then the client's buffer, has room for.
  EXPECT_EQ(write(2, most.size(), most), 0);
  EXPECT_EQ(read(2, 0, ~0u).second.size(), 4096 - kErrorMessageBytes);
  const Body body = Body() << 2u << uint64_t{0} << 4000u;
  EXPECT_EQ(call(MessageType::Tread, body, 111).body.size(), 104u);
  EXPECT_EQ(call(MessageType::Tread, body, kErrorMessageBytes).body.size(), 4u);
  EXPECT_EQ(call(MessageType::Tgetattr, Body() << 2u << ~uint64_t{0}, 20).error, EMSGSIZE);
  std::vector<uint8_t> reply(kErrorMessageBytes - 1);
  EXPECT_EQ(session().serve(std::vector<uint8_t>(100), reply), 0u) << "no room for an error";
  reply.resize(100);
  EXPECT_EQ(session().serve(std::vector<uint8_t>(6), reply), 0u) << "no message";
}

TEST_F(ShareTest, WrongMessagesAreErrors) {
  share();
  const auto type = [](MessageType t) { return static_cast<uint8_t>(t); };
  // The size says more than there is, or less than a header.
  EXPECT_EQ(serve({100, 0, 0, 0, type(MessageType::Tclunk), 1, 0, 1, 0, 0, 0}).error, EMSGSIZE);
  EXPECT_EQ(serve({6, 0, 0, 0, type(MessageType::Tclunk), 1, 0, 1, 0, 0, 0}).error, EPROTO);
  // A text, and data, longer than the message.
  EXPECT_EQ(call(MessageType::Tmkdir, (Body() << kRoot << uint16_t{5000}).raw("name")).error, EPROTO);
  EXPECT_EQ(call(MessageType::Twrite, (Body() << kRoot << uint64_t{0} << ~0u).raw("data")).error, EPROTO);
  for (unsigned t = 0; t < 256; ++t) {
    const int error = call(static_cast<MessageType>(t), Body()).error;
    EXPECT_TRUE(error == EPROTO || error == EOPNOTSUPP || error == EBADF) << t << ": " << error;
  }
  // Whoever is cut short does nothing.
  Body complete = Body() << kRoot << "folder" << 0755u << 0u;
  std::vector<uint8_t> message(kMessageHeaderBytes);
  message.insert(message.end(), complete.bytes().begin(), complete.bytes().end());
  message[4] = type(MessageType::Tmkdir);
  for (size_t bytes = kMessageHeaderBytes; bytes < message.size(); ++bytes) {
    std::vector<uint8_t> cut(message.begin(), message.begin() + static_cast<ptrdiff_t>(bytes));
    cut[0] = static_cast<uint8_t>(bytes);
    EXPECT_EQ(serve(cut).error, EPROTO) << bytes;
  }
  EXPECT_TRUE(std::filesystem::is_empty(folders.shared()));
}

TEST_F(ShareTest, ListsDirectories) {
  share();
  std::set<std::string> expected = {".", ".."};
  for (int i = 0; i < 300; ++i) {
    // names of 1 to 255 bytes
    const std::string name = std::to_string(i) + std::string(static_cast<size_t>(i < 200 ? i : 255 - 3), 'n');
    TestFolders::write(folders.shared(name), "");
    expected.insert(name);
  }
  expected.insert("folder");
  std::filesystem::create_directory(folders.shared("folder"));
  uint32_t fid = 2;
  for (const uint32_t count : {400u, 4096u, 60'000u}) {
    ASSERT_EQ(walk(kRoot, fid, {}), 0);
    EXPECT_EQ(entries(fid, 0, count).first, EBADF) << "not open";
    ASSERT_EQ(open(fid, O_RDONLY), 0);
    for (const uint32_t few : {0u, 10u}) EXPECT_EQ(entries(fid, 0, few).first, EINVAL) << "no room for any";
    for (int again = 0; again < 2; ++again) {
      std::multiset<std::string> seen;
      for (uint64_t offset = 0;;) {
        const auto [error, list] = entries(fid, offset, count);
        ASSERT_EQ(error, 0);
        if (list.empty()) break;
        for (const Entry& entry : list) {
          seen.insert(entry.name);
          EXPECT_EQ(entry.type, entry.name == "folder" || entry.name[0] == '.' ? DT_DIR : DT_REG);
        }
        offset = list.back().offset;
      }
      EXPECT_EQ(seen.size(), expected.size());
      EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), expected);
    }
    // From the middle.
    const auto first = entries(fid, 0, 4096).second;
    const auto after = entries(fid, first[first.size() / 2].offset, 4096).second;
    ASSERT_FALSE(after.empty());
    if (first.size() / 2 + 1 < first.size()) {
      EXPECT_EQ(after.front().name, first[first.size() / 2 + 1].name);
    }
    ++fid;
  }
  ASSERT_EQ(walk(kRoot, fid, {"1n"}), 0);
  ASSERT_EQ(open(fid, O_RDONLY), 0);
  EXPECT_EQ(entries(fid, 0, 4096).first, ENOTDIR);
}

TEST_F(ShareTest, RemovedFilesWorkWhileTheyAreHeld) {
  share();
  ASSERT_EQ(walk(kRoot, 2, {}), 0);
  ASSERT_EQ(create(2, "file"), 0);
  ASSERT_EQ(walk(kRoot, 3, {"file"}), 0);  // not open
  EXPECT_EQ(unlink(kRoot, "file"), 0);
  EXPECT_EQ(write(2, 0, "text"), 0);
  EXPECT_EQ(read(2, 0, 10).second, "text");
  EXPECT_EQ(status(2).links, 0u);
  EXPECT_EQ(status(3).size, 4u);
  EXPECT_EQ(set(3, {.valid = 1, .mode = 0600}), 0);
  EXPECT_EQ(set(3, {.valid = 8, .size = 2}), 0);
  EXPECT_EQ(set(2, {.valid = 32 | 256, .modification_time = 1000}), 0);
  EXPECT_EQ(status(2).size, 2u);
  EXPECT_EQ(status(2).modification_time, 1000u);
  EXPECT_EQ(open(3, O_RDONLY), 0);
  EXPECT_EQ(read(3, 0, 10).second, "te");
  EXPECT_EQ(link(kRoot, 2, "again"), ENOENT);
  EXPECT_EQ(call(MessageType::Trename, Body() << 2u << kRoot << "again").error, ENOENT);
  EXPECT_EQ(call(MessageType::Tremove, Body() << 2u).error, ENOENT);
  EXPECT_EQ(status(2).error, EBADF) << "clunked all the same";
  ASSERT_EQ(mkdir(kRoot, "folder"), 0);
  ASSERT_EQ(walk(kRoot, 4, {"folder"}), 0);
  EXPECT_EQ(unlink(kRoot, "folder"), EISDIR);
  EXPECT_EQ(unlink(kRoot, "folder", 1), EINVAL);
  EXPECT_EQ(unlink(kRoot, "folder", 0x200), 0);
  EXPECT_EQ(mkdir(4, "x"), ENOENT);
  EXPECT_EQ(walk(4, 5, {".."}), ENOENT);
}

TEST_F(ShareTest, FilesStayTheSameWhenTheyAreRenamed) {
  share();
  ASSERT_EQ(mkdir(kRoot, "a"), 0);
  ASSERT_EQ(mkdir(kRoot, "b"), 0);
  ASSERT_EQ(walk(kRoot, 2, {"a"}), 0);
  ASSERT_EQ(walk(2, 3, {}), 0);
  ASSERT_EQ(create(3, "file"), 0);
  ASSERT_EQ(walk(kRoot, 4, {"b"}), 0);
  EXPECT_EQ(rename(kRoot, "a", 4, "moved"), 0);
  EXPECT_EQ(walk(2, 5, {"file"}), 0);
  EXPECT_EQ(write(3, 0, "text"), 0);
  EXPECT_EQ(TestFolders::content(folders.shared("b/moved/file")), "text");
  std::filesystem::rename(folders.shared("b"), folders.shared("c"));  // by the host
  EXPECT_EQ(walk(2, 6, {"..", "..", "c", "moved", "file"}), 0);
  EXPECT_EQ(status(6).path, status(3).path);
  EXPECT_EQ(rename(kRoot, "c", 2, "below"), EINVAL) << "into itself";
  EXPECT_EQ(rename(2, "no", kRoot, "x"), ENOENT);
  // By the file.
  EXPECT_EQ(call(MessageType::Trename, Body() << 5u << kRoot << "up").error, 0);
  EXPECT_EQ(TestFolders::content(folders.shared("up")), "text");
  EXPECT_EQ(call(MessageType::Trename, Body() << kRoot << 2u << "x").error, ENOENT) << "the folder itself";
  EXPECT_EQ(call(MessageType::Tremove, Body() << 5u).error, 0);
  EXPECT_FALSE(std::filesystem::exists(folders.shared("up")));
  EXPECT_EQ(call(MessageType::Tremove, Body() << 2u).error, 0) << "a directory";
  EXPECT_EQ(call(MessageType::Tremove, Body() << kRoot).error, ENOENT);
}

TEST_F(ShareTest, LinksNodesAndAttributes) {
  share();
  EXPECT_EQ(symlink(kRoot, "link", "any/target"), 0);
  EXPECT_EQ(symlink(kRoot, "link", "x"), EEXIST);
  EXPECT_EQ(symlink(kRoot, "other", std::string("a\0b", 3)), EINVAL);
  EXPECT_EQ(symlink(kRoot, "other", std::string(5000, 'x')), ENAMETOOLONG);
  ASSERT_EQ(walk(kRoot, 2, {"link"}), 0);
  const Reply target = call(MessageType::Treadlink, Body() << 2u);
  EXPECT_EQ(target.reader().text(), "any/target");
  EXPECT_EQ(call(MessageType::Treadlink, Body() << kRoot).error, EINVAL);
  EXPECT_EQ(set(2, {.valid = 1, .mode = 0600}), EOPNOTSUPP);
  EXPECT_EQ(set(2, {.valid = 32 | 256, .modification_time = 5}), 0);
  EXPECT_EQ(status(2).modification_time, 5u);
  EXPECT_EQ(link(kRoot, 2, "hard"), 0);
  EXPECT_TRUE(std::filesystem::is_symlink(folders.shared("hard")));

  EXPECT_EQ(mknod(kRoot, "fifo", S_IFIFO | 0600), 0);
  EXPECT_EQ(mknod(kRoot, "socket", S_IFSOCK | 0600), 0);
  EXPECT_EQ(mknod(kRoot, "file", S_IFREG | 0600), 0);
  ASSERT_EQ(walk(kRoot, 3, {"fifo"}), 0);
  EXPECT_TRUE(S_ISFIFO(status(3).mode));
  EXPECT_EQ(set(3, {.valid = 8, .size = 0}), EINVAL);
  ASSERT_EQ(walk(kRoot, 4, {"file"}), 0);
  EXPECT_EQ(set(4, {.valid = 1, .mode = 01754}), 0);
  EXPECT_EQ(status(4).mode, S_IFREG | 01754u);
  EXPECT_EQ(set(4, {.valid = 2 | 4, .user = getuid(), .group = getgid()}), 0);
  EXPECT_EQ(status(4).user, getuid());
  EXPECT_EQ(set(4, {.valid = 64}), 0);
  EXPECT_EQ(set(4, {.valid = 16 | 32}), 0) << "now";
  EXPECT_GT(status(4).modification_time, 1'000'000u);
  EXPECT_EQ(set(4, {.valid = 8, .size = 100'000}), 0) << "not open";
  EXPECT_EQ(status(4).size, 100'000u);
  EXPECT_EQ(set(4, {.valid = 8, .size = ~uint64_t{0}}), EINVAL);
  EXPECT_EQ(set(kRoot, {.valid = 8, .size = 0}), EISDIR);

  const Reply statfs = call(MessageType::Tstatfs, Body() << kRoot);
  EXPECT_EQ(statfs.error, 0);
  EXPECT_EQ(statfs.body.size(), 4u + 4 + 5 * 8 + 8 + 4);
  EXPECT_EQ(call(MessageType::Txattrwalk, Body() << kRoot << 9u << "user.x").error, EOPNOTSUPP);
  EXPECT_EQ(call(MessageType::Txattrcreate, Body() << kRoot << "user.x" << uint64_t{1} << 0u).error, EOPNOTSUPP);
  EXPECT_EQ(call(MessageType::Tflush, Body() << uint16_t{7}).error, 0);
}

TEST_F(ShareTest, LocksAreTheGuestsOwn) {
  share();
  const Body lock = Body() << 2u << uint8_t{1} << 0u << uint64_t{0} << uint64_t{0} << 77u << "guest";
  const Body get = Body() << 2u << uint8_t{1} << uint64_t{5} << uint64_t{6} << 77u << "guest";
  EXPECT_EQ(call(MessageType::Tlock, lock).error, EBADF);
  ASSERT_EQ(walk(kRoot, 2, {}), 0);
  EXPECT_EQ(call(MessageType::Tlock, lock).error, EBADF) << "not open";
  ASSERT_EQ(create(2, "file"), 0);
  EXPECT_EQ(call(MessageType::Tlock, lock).body, std::vector<uint8_t>{0});
  const Reply got = call(MessageType::Tgetlock, get);
  MessageReader in = got.reader();
  EXPECT_EQ(in.get<uint8_t>(), 2u);
  EXPECT_EQ(in.get<uint64_t>(), 5u);
  EXPECT_EQ(in.get<uint64_t>(), 6u);
  EXPECT_EQ(in.get<uint32_t>(), 77u);
  EXPECT_EQ(in.text(), "guest");
}

TEST_F(ShareTest, AReadOnlyFolderIsNotChanged) {
  TestFolders::write(folders.shared("file"), "text");
  std::filesystem::create_directory(folders.shared("folder"));
  share(true);
  ASSERT_EQ(walk(kRoot, 2, {"file"}), 0);
  ASSERT_EQ(walk(kRoot, 3, {}), 0);
  EXPECT_EQ(open(2, O_RDWR), EROFS);
  EXPECT_EQ(open(2, O_RDONLY | O_TRUNC), EROFS);
  EXPECT_EQ(create(3, "new"), EROFS);
  EXPECT_EQ(create(3, "file", O_RDONLY), EROFS);
  EXPECT_EQ(mkdir(3, "new"), EROFS);
  EXPECT_EQ(mknod(3, "new", S_IFREG | 0600), EROFS);
  EXPECT_EQ(symlink(3, "new", "x"), EROFS);
  EXPECT_EQ(link(3, 2, "new"), EROFS);
  EXPECT_EQ(rename(3, "file", 3, "new"), EROFS);
  EXPECT_EQ(call(MessageType::Trename, Body() << 2u << 3u << "new").error, EROFS);
  EXPECT_EQ(unlink(3, "file"), EROFS);
  EXPECT_EQ(unlink(3, "folder", 0x200), EROFS);
  EXPECT_EQ(set(2, {.valid = 1, .mode = 0600}), EROFS);
  EXPECT_EQ(set(2, {.valid = 8, .size = 0}), EROFS);
  EXPECT_EQ(call(MessageType::Txattrcreate, Body() << 2u << "user.x" << uint64_t{1} << 0u).error, EROFS);
  EXPECT_EQ(open(2, O_RDONLY), 0);
  EXPECT_EQ(write(2, 0, "x"), EROFS);
  EXPECT_EQ(read(2, 0, 10).second, "text");
  EXPECT_EQ(call(MessageType::Tremove, Body() << 2u).error, EROFS);
  EXPECT_EQ(clunk(2), EBADF) << "Tremove clunks in any case";
  EXPECT_EQ(TestFolders::content(folders.shared("file")), "text");
  const auto entries = std::filesystem::directory_iterator(folders.shared());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 2);
}

TEST_F(ShareTest, ThereIsALimitOfFiles) {
  share();
  uint32_t fid = 2;
  while (fid < 1000 && walk(kRoot, fid, {}) == 0) ++fid;
  EXPECT_EQ(fid, kMaxFiles + 1);
  EXPECT_EQ(walk(kRoot, fid, {}), ENFILE);
  EXPECT_EQ(call(MessageType::Tattach, Body() << fid << ~0u << "root"
                                              << "" << 0u)
                .error,
            ENFILE);
  EXPECT_EQ(walk(2, 2, {".."}), 0) << "needs no other one";
  EXPECT_EQ(clunk(2), 0);
  EXPECT_EQ(walk(kRoot, fid, {}), 0);
  EXPECT_EQ(session().counters().most_files, kMaxFiles);
  session().reset();
  EXPECT_FALSE(session().attached());
}

// What this process has open afterwards: nothing that was not there before.
TEST_F(ShareTest, NoDescriptorIsLost) {
  const auto count = [] {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return std::distance(begin(entries), end(entries));
  };
  share();
  const auto before = count();
  ASSERT_EQ(walk(kRoot, 2, {}), 0);
  ASSERT_EQ(create(2, "file"), 0);
  walk(2, 3, {"x"});
  walk(kRoot, 3, {"file", "x", "y"});
  walk(kRoot, 3, {"..", "file"});
  open(3, O_RDWR);
  set(3, {.valid = 8, .size = 100});
  call(MessageType::Trename, Body() << 3u << kRoot << "new");
  call(MessageType::Tremove, Body() << 3u);
  clunk(2);
  EXPECT_EQ(count(), before);
}

// ---- hostile clients ----------------------------------------------------------------------------

TEST_F(ShareTest, NoNameLeadsOut) {
  share();
  std::filesystem::create_symlink(folders.outside(), folders.shared("link"));
  std::filesystem::create_symlink("../outside/file", folders.shared("file"));
  std::filesystem::create_symlink("/proc/self/root", folders.shared("magic"));
  EXPECT_EQ(walk(kRoot, 2, {".."}), 0);
  EXPECT_EQ(status(2).path, status(kRoot).path) << "the root is its own parent";
  EXPECT_EQ(walk(kRoot, 3, {"..", "outside"}), ENOENT);
  EXPECT_EQ(walk(kRoot, 3, {"..", "..", "..", "etc"}), ENOENT);
  for (const char* const name : {"../outside", "a/b", "/", "/etc", "", "link/file", "./link"}) {
    EXPECT_EQ(walk(kRoot, 3, {name}), ENOENT) << name;
    EXPECT_EQ(mkdir(kRoot, name), EINVAL) << name;
    EXPECT_EQ(mknod(kRoot, name, S_IFREG | 0600), EINVAL) << name;
    EXPECT_EQ(symlink(kRoot, name, "x"), EINVAL) << name;
    EXPECT_EQ(create(2, name), EINVAL) << name;
    EXPECT_EQ(link(kRoot, 2, name), EINVAL) << name;
    EXPECT_EQ(rename(kRoot, name, kRoot, "new"), EINVAL) << name;
    EXPECT_EQ(rename(kRoot, "link", kRoot, name), EINVAL) << name;
    EXPECT_EQ(unlink(kRoot, name), EINVAL) << name;
    EXPECT_EQ(call(MessageType::Trename, Body() << 2u << kRoot << name).error, EINVAL) << name;
  }
  for (const char* const name : {".", ".."}) {
    EXPECT_EQ(mkdir(kRoot, name), EINVAL) << name;
    EXPECT_EQ(create(2, name), EINVAL) << name;
    EXPECT_EQ(rename(kRoot, name, kRoot, "new"), EINVAL) << name;
    EXPECT_EQ(unlink(kRoot, name, 0x200), EINVAL) << name;
  }
  EXPECT_EQ(walk(kRoot, 3, {std::string("link\0x", 6)}), ENOENT);
  EXPECT_EQ(mkdir(kRoot, std::string("x\0y", 3)), EINVAL);
  // Symbolic links are never followed, the last name included.
  EXPECT_EQ(walk(kRoot, 3, {"link", "file"}), ENOENT) << "half the way";
  EXPECT_EQ(walk(kRoot, 3, {"magic", "etc"}), ENOENT);
  ASSERT_EQ(walk(kRoot, 4, {"file"}), 0);
  EXPECT_TRUE(S_ISLNK(status(4).mode));
  EXPECT_EQ(walk(4, 5, {".."}), 0);
  EXPECT_EQ(open(4, O_RDONLY), ELOOP);
  EXPECT_EQ(set(4, {.valid = 8, .size = 0}), EINVAL);
  EXPECT_EQ(set(4, {.valid = 1, .mode = 0777}), EOPNOTSUPP);
  EXPECT_EQ(create(2, "file", O_RDWR | O_TRUNC), EACCES);
  ASSERT_EQ(walk(kRoot, 6, {"link"}), 0);
  EXPECT_EQ(walk(6, 7, {"file"}), ENOTDIR);
  EXPECT_EQ(mkdir(6, "new"), ENOTDIR);
  EXPECT_EQ(create(6, "new"), ENOTDIR);
  EXPECT_EQ(unlink(6, "file"), ENOTDIR);
  EXPECT_EQ(rename(6, "file", kRoot, "got"), ENOTDIR);
  EXPECT_EQ(TestFolders::content(folders.outside("file")), kSecret);
}

TEST_F(ShareTest, FifosAndDevicesAreNotOpened) {
  share();
  ASSERT_EQ(mknod(kRoot, "fifo", S_IFIFO | 0600), 0);
  ASSERT_EQ(mknod(kRoot, "socket", S_IFSOCK | 0600), 0);
  ASSERT_EQ(walk(kRoot, 2, {"fifo"}), 0);
  ASSERT_EQ(walk(kRoot, 3, {}), 0);
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
    EXPECT_EQ(open(2, flags), EACCES);  // and does not wait
    EXPECT_EQ(create(3, "fifo", flags), EACCES);
    EXPECT_EQ(create(3, "socket", flags), EACCES);
  }
  EXPECT_EQ(mknod(kRoot, "device", S_IFCHR | 0600), EPERM);
  EXPECT_EQ(mknod(kRoot, "device", S_IFBLK | 0600), EPERM);
  if (::mknod(folders.shared("null").c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0)
    GTEST_SKIP() << "this user makes no devices: " << std::strerror(errno);
  ASSERT_EQ(walk(kRoot, 4, {"null"}), 0);
  EXPECT_TRUE(S_ISCHR(status(4).mode));
  EXPECT_EQ(open(4, O_RDWR), EACCES);
  EXPECT_EQ(create(3, "null"), EACCES);
  EXPECT_EQ(set(4, {.valid = 8, .size = 0}), EINVAL);
}

TEST_F(ShareTest, NoFileGivesItsUsersRights) {
  share();
  ASSERT_EQ(walk(kRoot, 2, {}), 0);
  for (const uint32_t bits : {04000u, 02000u, 06000u}) {
    EXPECT_EQ(create(2, "file", O_RDWR, bits | 0755), EPERM);
    EXPECT_EQ(mknod(2, "file", S_IFREG | bits | 0755), EPERM);
  }
  ASSERT_EQ(create(2, "file"), 0);
  for (const uint32_t bits : {04000u, 02000u, 06000u}) EXPECT_EQ(set(2, {.valid = 1, .mode = bits | 0755}), EPERM);
  ASSERT_EQ(mkdir(kRoot, "folder"), 0);
  ASSERT_EQ(walk(kRoot, 3, {"folder"}), 0);
  EXPECT_EQ(set(3, {.valid = 1, .mode = 02775}), 0) << "of a directory the bit chooses the group of what is made there";
  EXPECT_EQ(set(3, {.valid = 1, .mode = 04755}), EPERM);
}

// Directories that the host moves out are held, as by any process, but lead nowhere else.
TEST_F(ShareTest, WhatIsMovedOutHasNoParent) {
  share();
  std::filesystem::create_directories(folders.shared("a/b"));
  ASSERT_EQ(walk(kRoot, 2, {"a"}), 0);
  ASSERT_EQ(walk(kRoot, 3, {"a", "b"}), 0);
  std::filesystem::rename(folders.shared("a"), folders.outside("a"));
  EXPECT_EQ(walk(2, 4, {".."}), ENOENT);
  EXPECT_EQ(walk(3, 4, {".."}), ENOENT);
  EXPECT_EQ(walk(3, 4, {"..", "..", "file"}), ENOENT);
  EXPECT_EQ(call(MessageType::Trename, Body() << 3u << kRoot << "x").error, ENOENT);
  EXPECT_EQ(call(MessageType::Tremove, Body() << 3u).error, ENOENT);
  std::filesystem::create_directory(folders.shared("a"));  // another one with the name
  EXPECT_EQ(walk(2, 4, {".."}), ENOENT);
  // A folder whose name begins like the shared one's.
  std::filesystem::rename(folders.outside("a"), folders.shared() + "-not/");
  EXPECT_EQ(walk(2, 4, {".."}), ENOENT);
  std::filesystem::remove_all(folders.shared() + "-not");
}

// Somebody exchanges directories and files for links that lead out, and moves them, all the time.
TEST_F(ShareTest, RacesDoNotLeadOut) {
  share();
  const std::string swapped = folders.shared("swapped"), other = folders.shared("other");
  std::filesystem::create_directories(swapped + "/deep");
  TestFolders::write(swapped + "/file", "inside");
  TestFolders::write(swapped + "/deep/file", "inside");
  std::filesystem::create_directory(folders.outside("deep"));
  TestFolders::write(folders.outside("deep/file"), kSecret);
  std::filesystem::create_symlink(folders.outside(), other);
  std::atomic<bool> end{false};
  std::thread attacker([&] {
    while (!end.load()) {
      renameat2(AT_FDCWD, swapped.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
      ::rename((swapped + "/deep").c_str(), folders.shared("deep").c_str());
      ::rename(folders.shared("deep").c_str(), (swapped + "/deep").c_str());
      std::this_thread::yield();
    }
  });
  unsigned opened = 0;
  // Until it has been tried often, or for long enough, however slow the host is.
  const auto enough = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (int i = 0; i < 4000 && (opened == 0 || std::chrono::steady_clock::now() < enough); ++i) {
    const bool deep = i % 2;
    if (walk(kRoot, 2,
             deep ? std::vector<std::string>{"swapped", "deep", "file"}
                  : std::vector<std::string>{"swapped", "file"}) == 0) {
      if (open(2, O_RDONLY) == 0) {
        EXPECT_EQ(read(2, 0, 100).second, "inside");
        ++opened;
      }
      if (walk(2, 3, {"..", "..", "..", "outside"}) == 0) ADD_FAILURE() << "out by ..";
      clunk(2);
    }
    if (walk(kRoot, 2, {"swapped"}) == 0) {
      if (create(2, "made", O_RDWR) == 0) {
        EXPECT_EQ(write(2, 0, "x"), 0);
      }
      clunk(2);
    }
    if (walk(kRoot, 2, {"swapped", "deep"}) == 0) {
      mkdir(2, "folder");
      unlink(2, "folder", 0x200);
      if (walk(2, 3, {"..", "..", "..", "..", "outside"}) == 0) ADD_FAILURE() << "out by ..";
      clunk(2);
    }
  }
  end.store(true);
  attacker.join();
  EXPECT_GT(opened, 0u);
  EXPECT_FALSE(std::filesystem::exists(folders.outside("made")));
  EXPECT_FALSE(std::filesystem::exists(folders.outside("deep/folder")));
  EXPECT_EQ(TestFolders::content(folders.outside("file")), kSecret);
}

// Messages of random content that mostly have a message's form.
TEST_F(ShareTest, RandomMessages) {
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const auto draw = [&](unsigned below) { return static_cast<uint32_t>(random() % below); };
  const std::vector<std::string> names = {"a", "b", "link", "file", "fifo", "..", ".", "", "a/b", "../outside", "/etc"};
  constexpr uint8_t kTypes[] = {8,  12, 14, 16, 18, 20,  22,  24,  26,  30,  32,  40,  50,  52,
                                54, 70, 72, 74, 76, 104, 108, 110, 110, 110, 116, 118, 120, 122};
  std::filesystem::create_symlink(folders.outside(), folders.shared("link"));
  for (int round = 0; round < 10; ++round) {
    share(round % 5 == 4, 4096 + draw(10'000));
    for (int i = 0; i < 1500; ++i) {
      std::vector<uint8_t> message = {0, 0, 0, 0, kTypes[draw(std::size(kTypes))], 7, 0};
      if (draw(50) == 0) message[4] = static_cast<uint8_t>(draw(256));
      for (unsigned field = draw(9); field != 0; --field) {
        Body body;
        switch (draw(6)) {
          case 0: body << draw(12); break;
          case 1: body << names[draw(static_cast<unsigned>(names.size()))]; break;
          case 2: body << uint64_t{draw(5000)}; break;
          case 3: body << static_cast<uint32_t>(random()); break;
          case 4: body << static_cast<uint16_t>(draw(4)); break;
          case 5: body << draw(12) << draw(12) << static_cast<uint16_t>(1) << names[draw(4)]; break;
        }
        message.insert(message.end(), body.bytes().begin(), body.bytes().end());
      }
      const auto size = static_cast<uint32_t>(draw(40) ? message.size() : draw(100));
      std::memcpy(message.data(), &size, sizeof size);
      serve(message, kErrorMessageBytes + draw(6000));
    }
  }
  EXPECT_EQ(TestFolders::content(folders.outside("file")), kSecret);
  const auto outside = std::filesystem::directory_iterator(folders.outside());
  EXPECT_EQ(std::distance(begin(outside), end(outside)), 1);
}

// ---- the thread ---------------------------------------------------------------------------------

TEST_F(ShareTest, ModesAreWhatTheGuestSays) {
  share();
  std::filesystem::create_directory(folders.shared("group"));
  ASSERT_EQ(chmod(folders.shared("group").c_str(), 02755), 0);
  const mode_t before = umask(077);
  ASSERT_EQ(walk(kRoot, 2, {}), 0);
  ASSERT_EQ(walk(kRoot, 3, {"group"}), 0);
  EXPECT_EQ(create(2, "file", O_RDWR, 0666), 0);
  EXPECT_EQ(mkdir(kRoot, "folder", 01777), 0);
  EXPECT_EQ(mkdir(3, "inner", 0755), 0);
  EXPECT_EQ(mknod(kRoot, "fifo", S_IFIFO | 0622), 0);
  umask(before);
  EXPECT_EQ(status(2).mode & 07777, 0666u);
  const auto mode_of = [&](uint32_t fid, const std::vector<std::string>& names) {
    EXPECT_EQ(walk(kRoot, fid, names), 0);
    return status(fid).mode & 07777;
  };
  EXPECT_EQ(mode_of(4, {"folder"}), 01777u);
  EXPECT_EQ(mode_of(5, {"group", "inner"}), 02755u) << "as the host's file system gives it";
  EXPECT_EQ(mode_of(6, {"fifo"}), 0622u);
}

// Landlock, as if somebody had taken over the thread.
TEST_F(ShareTest, TheKernelKeepsTheThreadInTheFolder) {
  constexpr long kCreateRuleset = 444;
  if (syscall(kCreateRuleset, nullptr, 0, 1) < 2) GTEST_SKIP() << "no Landlock, or its first version";
  const auto refused = [](int fd) { return fd < 0 && errno == EACCES; };
  for (const bool read_only : {false, true}) {
    TestFolders::write(folders.shared("file"), "text");
    std::filesystem::create_directories(folders.shared("a"));
    EXPECT_EXIT(
        {
          share(read_only);  // /proc/self is this child
          folder().confine_thread();
          int step = 0;
          const auto check = [&](bool good) {
            ++step;
            if (!good) _exit(step);
          };
          check(refused(::open(folders.outside("file").c_str(), O_RDONLY)));
          check(refused(::open("/etc/passwd", O_RDONLY)));
          check(refused(::open(folders.outside("new").c_str(), O_RDWR | O_CREAT, 0600)));
          check(refused(::mkdir(folders.outside("new").c_str(), 0700)));
          check(::open(folders.shared("file").c_str(), O_RDONLY) >= 0);
          const int fd = ::open(folders.shared("file").c_str(), O_RDWR);
          check(read_only ? refused(fd) : fd >= 0);
          // The session goes on.
          check(walk(kRoot, 2, {"file"}) == 0 && open(2, O_RDONLY) == 0 && read(2, 0, 10).second == "text");
          check(walk(kRoot, 3, {"a"}) == 0 && walk(3, 4, {".."}) == 0);
          if (!read_only) {
            check(create(4, "new") == 0 && write(4, 0, "x") == 0);
            check(rename(kRoot, "new", 3, "moved") == 0);
            check(link(kRoot, 4, "linked") == 0);
            check(set(4, {.valid = 8, .size = 0}) == 0 && set(4, {.valid = 1, .mode = 0600}) == 0);
            check(unlink(kRoot, "linked") == 0 && unlink(3, "moved") == 0);
            check(mkdir(kRoot, "b") == 0 && unlink(kRoot, "b", 0x200) == 0);
            check(symlink(kRoot, "s", "x") == 0 && unlink(kRoot, "s") == 0);
            check(mknod(kRoot, "p", S_IFIFO | 0600) == 0 && unlink(kRoot, "p") == 0);
          }
          _exit(0);
        },
        testing::ExitedWithCode(0), "");
  }
}

TEST(Folder, MustBeADirectoryThatIsThere) {
  const TestFolders folders;
  EXPECT_NE(Folder::open(folders.shared("no"), false).error().find("--share: cannot open"), std::string::npos);
  EXPECT_NE(Folder::open(folders.outside("file"), false).error().find("Not a directory"), std::string::npos);
}

}  // namespace
}  // namespace crosswalk::vmm
