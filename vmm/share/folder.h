// SPDX-License-Identifier: GPL-2.0-or-later
// The files of one folder of the host. A file is a descriptor that was opened with O_PATH, or for
// use; it stays the same file when it is renamed or removed. Names are resolved one at a time, by
// openat2 with RESOLVE_BENEATH, and no symbolic link is ever followed, whatever changes meanwhile.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "translator/base/result.h"
#include "vmm/share/descriptor.h"
#include "vmm/share/landlock.h"
#include "vmm/share/message.h"

namespace crosswalk::vmm {

// Whether it names an entry of a directory: not "", "." or "..", no "/", no NUL, 255 bytes at most.
bool is_entry_name(const std::string& name);

// Whether who executes a file of such a mode and type (S_IFMT) has the rights of its owner or
// group, that is, of this process.
inline bool gives_rights(mode_t mode, mode_t type) { return (mode & S_ISUID) || ((mode & S_ISGID) && type != S_IFDIR); }

// Functions that return int return 0 or a positive errno.
class Folder {
 public:
  // Errors name --share.
  static Result<std::unique_ptr<Folder>> open(const std::string& path, bool read_only);

  // The calling thread opens and changes files in this folder alone, for good, where the host's
  // kernel can see to that (landlock.h). Ends the process with a line when it fails.
  void confine_thread() const { confine_to_folder(root_.get(), read_only_); }

  bool read_only() const { return read_only_; }

  // ---- each makes a descriptor, or says why not
  Descriptor root() const { return again(root_.get()); }
  // Another one for the same file, with O_PATH.
  Descriptor again(int file) const;
  // An entry of a directory, with O_PATH; a symbolic link is opened itself.
  Descriptor entry(int directory, const std::string& name) const;
  // "..": of the root it is the root.
  Descriptor parent(int file) const;
  // For reading or writing. Precondition: a regular file or a directory; another one would be
  // waited for, or have effects.
  Descriptor reopen(int file, int flags) const;
  // A regular file, with the permissions of `mode`; one that is there is opened, unless `flags` has
  // O_EXCL.
  Descriptor create(int directory, const std::string& name, int flags, mode_t mode) const;

  // ---- by name, where a file was found: its directory, and its name there
  struct Place {
    Descriptor directory;
    std::string name;
  };
  // Empty `directory`: the file is the root, not in the folder any more, or has no name.
  Place place(int file) const;

  // ---- on files that were opened in any way
  int link(int file, int directory, const std::string& name) const;
  int change_mode(int file, mode_t mode) const;
  // Of a file that was just made with `mode`: its permissions become that, where the process's
  // umask has taken some away.
  int complete_mode(int file, mode_t mode) const;
  // As utimensat(2).
  int change_times(int file, const timespec (&times)[2]) const;
  // Precondition: a regular file.
  int truncate(int file, uint64_t bytes) const;

  Qid qid(const struct stat& status);
  // Of an entry of a directory that is on `device`; `type` as of readdir(3).
  Qid qid(dev_t device, ino_t number, uint8_t type);

 private:
  Folder(Descriptor root, Descriptor descriptors, bool read_only)
      : root_(std::move(root)), descriptors_(std::move(descriptors)), read_only_(read_only) {}
  std::string path_of(int file) const;

  Descriptor root_;
  Descriptor descriptors_;  // /proc/self/fd, whose links lead to files by their descriptors
  bool read_only_;
  std::vector<dev_t> devices_;  // file systems that were met
};

}  // namespace crosswalk::vmm
