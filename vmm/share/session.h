// SPDX-License-Identifier: GPL-2.0-or-later
// The server's side of 9P2000.L, the protocol of Linux's v9fs, for one guest: a message in, a reply
// out. Whatever the guest sends, it gets an error at worst.
//
// A guest's kernel keeps permissions and locks among its own users. Here every request is made with
// the rights of this process's user, who owns what is made; who asks is not looked at.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "translator/base/counter.h"
#include "vmm/share/descriptor.h"
#include "vmm/share/folder.h"
#include "vmm/share/message.h"

namespace crosswalk::vmm {

struct ShareCounters {
  uint64_t requests = 0, errors = 0, bytes_read = 0, bytes_written = 0, most_files = 0;
};
inline constexpr Counter<ShareCounters> kShareCounters[] = {
    {"requests", &ShareCounters::requests},
    {"errors", &ShareCounters::errors},
    {"bytes read", &ShareCounters::bytes_read, CounterUnit::Bytes},
    {"bytes written", &ShareCounters::bytes_written, CounterUnit::Bytes},
    {"files held at most", &ShareCounters::most_files},
};

class Session {
 public:
  // The largest message either way; the client's wish is at least the smaller one.
  static constexpr uint32_t kMaxMessageBytes = 1 << 20, kMinMessageBytes = 4096;

  // `max_files`: how many fids there may be; each is a file descriptor.
  Session(Folder& folder, size_t max_files) : folder_(folder), max_files_(max_files) {}

  // Serves one message; returns the size of the reply. 0: there is no room for one, or nothing to
  // reply to.
  size_t serve(std::span<const uint8_t> message, std::span<uint8_t> reply);
  // Forgets the client and all its files.
  void reset();
  // Whether the client has any file, and so knows some by numbers that no other session knows.
  bool attached() const { return !files_.empty(); }
  const ShareCounters& counters() const { return counters_; }

 private:
  // What a fid stands for.
  struct File {
    Descriptor descriptor;  // with O_PATH, or for use
    mode_t type = 0;        // S_IFMT
    dev_t device = 0;
    bool open = false;
    uint64_t position = 0;  // of the next entry, in a directory
  };
  using Handler = int (Session::*)(MessageReader&, MessageWriter&);
  struct Row {
    MessageType type;
    Handler handler;
    bool modifies;  // EROFS, if that is what the folder is
  };
  static const Row kRows[];

  int dispatch(uint8_t type, MessageReader& in, MessageWriter& out);
  File* find(uint32_t fid);
  // A file of a new fid. Fails when the fid is in use, or there are too many.
  int add(uint32_t fid, Descriptor descriptor, Qid& qid);
  // One step of a walk.
  Descriptor step(int from, const std::string& name) const;
  // Of an entry that was just made: gives it the permissions of `mode`, and puts its qid.
  int finish_entry(int directory, const std::string& name, mode_t mode, MessageWriter& out);
  // Fills `out` with a directory's entries.
  int put_entries(File& file, uint64_t offset, uint32_t count, MessageWriter& out);

  // Each returns 0 or an errno.
  int version(MessageReader& in, MessageWriter& out);
  int attach(MessageReader& in, MessageWriter& out);
  int flush(MessageReader& in, MessageWriter& out);
  int walk(MessageReader& in, MessageWriter& out);
  int open(MessageReader& in, MessageWriter& out);
  int create(MessageReader& in, MessageWriter& out);
  int read(MessageReader& in, MessageWriter& out);
  int write(MessageReader& in, MessageWriter& out);
  int read_directory(MessageReader& in, MessageWriter& out);
  int read_link(MessageReader& in, MessageWriter& out);
  int get_attributes(MessageReader& in, MessageWriter& out);
  int set_attributes(MessageReader& in, MessageWriter& out);
  int file_system(MessageReader& in, MessageWriter& out);
  int synchronize(MessageReader& in, MessageWriter& out);
  int make_symlink(MessageReader& in, MessageWriter& out);
  int make_node(MessageReader& in, MessageWriter& out);
  int make_directory(MessageReader& in, MessageWriter& out);
  int make_link(MessageReader& in, MessageWriter& out);
  int rename(MessageReader& in, MessageWriter& out);
  int rename_at(MessageReader& in, MessageWriter& out);
  int unlink_at(MessageReader& in, MessageWriter& out);
  int clunk(MessageReader& in, MessageWriter& out);
  int remove(MessageReader& in, MessageWriter& out);
  int lock(MessageReader& in, MessageWriter& out);
  int get_lock(MessageReader& in, MessageWriter& out);
  int no_attributes(MessageReader& in, MessageWriter& out);

  Folder& folder_;
  size_t max_files_;
  uint32_t message_bytes_ = 0;  // the agreed limit; 0: none yet
  std::unordered_map<uint32_t, File> files_;
  std::vector<uint8_t> entries_;  // as the kernel lists them
  ShareCounters counters_;
};

}  // namespace crosswalk::vmm
