// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/share/session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace crosswalk::vmm {
namespace {

constexpr const char* kVersion = "9P2000.L";
constexpr uint32_t kNoFid = ~0u;
constexpr unsigned kMaxWalk = 16;             // names of one Twalk (walk(5): MAXWELEM)
constexpr uint32_t kRemoveDirectory = 0x200;  // of Tunlinkat (P9_DOTL_AT_REMOVEDIR)

}  // namespace

constexpr Session::Row Session::kRows[] = {
    {MessageType::Tversion, &Session::version, false},
    {MessageType::Tattach, &Session::attach, false},
    {MessageType::Tflush, &Session::flush, false},
    {MessageType::Twalk, &Session::walk, false},
    {MessageType::Tlopen, &Session::open, false},
    {MessageType::Tlcreate, &Session::create, true},
    {MessageType::Tread, &Session::read, false},
    {MessageType::Twrite, &Session::write, true},
    {MessageType::Treaddir, &Session::read_directory, false},
    {MessageType::Treadlink, &Session::read_link, false},
    {MessageType::Tgetattr, &Session::get_attributes, false},
    {MessageType::Tsetattr, &Session::set_attributes, true},
    {MessageType::Tstatfs, &Session::file_system, false},
    {MessageType::Tfsync, &Session::synchronize, false},
    {MessageType::Tsymlink, &Session::make_symlink, true},
    {MessageType::Tmknod, &Session::make_node, true},
    {MessageType::Tmkdir, &Session::make_directory, true},
    {MessageType::Tlink, &Session::make_link, true},
    {MessageType::Trename, &Session::rename, true},
    {MessageType::Trenameat, &Session::rename_at, true},
    {MessageType::Tunlinkat, &Session::unlink_at, true},
    {MessageType::Tclunk, &Session::clunk, false},
    {MessageType::Tremove, &Session::remove, false},  // clunks the fid in any case
    {MessageType::Tlock, &Session::lock, false},
    {MessageType::Tgetlock, &Session::get_lock, false},
    {MessageType::Txattrwalk, &Session::no_attributes, false},
    {MessageType::Txattrcreate, &Session::no_attributes, true},
};

size_t Session::serve(std::span<const uint8_t> message, std::span<uint8_t> reply) {
  ++counters_.requests;
  if (message.size() < kMessageHeaderBytes || reply.size() < kErrorMessageBytes) {
    ++counters_.errors;
    return 0;
  }
  MessageReader in(message);
  const auto size = in.get<uint32_t>();
  const auto type = in.get<uint8_t>();
  const auto tag = in.get<uint16_t>();
  const uint32_t limit = message_bytes_ ? message_bytes_ : kMinMessageBytes;
  const std::span<uint8_t> body = reply.first(std::min<size_t>(reply.size(), limit)).subspan(kMessageHeaderBytes);
  MessageWriter out(body);
  // `size` may leave out a write's data that is in a buffer of its own: old clients do.
  int error = 0;
  if (size > message.size() || message.size() > limit)
    error = EMSGSIZE;
  else if (size < kMessageHeaderBytes)
    error = EPROTO;
  else
    error = dispatch(type, in, out);
  if (error == 0 && !out.complete()) error = EMSGSIZE;
  uint8_t reply_type = type + 1;
  if (error != 0) {
    ++counters_.errors;
    reply_type = static_cast<uint8_t>(MessageType::Rlerror);
    out = MessageWriter(body);
    out.put(static_cast<uint32_t>(error));
  }
  MessageWriter header(reply);
  header.put(static_cast<uint32_t>(kMessageHeaderBytes + out.used()));
  header.put(reply_type);
  header.put(tag);
  return kMessageHeaderBytes + out.used();
}

int Session::dispatch(uint8_t type, MessageReader& in, MessageWriter& out) {
  const auto* row = std::ranges::find(kRows, static_cast<MessageType>(type), &Row::type);
  if (row == std::end(kRows)) return EOPNOTSUPP;
  if (message_bytes_ == 0 && row->type != MessageType::Tversion) return EPROTO;
  if (row->modifies && folder_.read_only()) return EROFS;
  return (this->*row->handler)(in, out);
}

void Session::reset() {
  files_.clear();
  message_bytes_ = 0;
}

Session::File* Session::find(uint32_t fid) {
  const auto found = files_.find(fid);
  return found == files_.end() ? nullptr : &found->second;
}

int Session::add(uint32_t fid, Descriptor descriptor, Qid& qid) {
  if (!descriptor) return descriptor.error();
  if (fid == kNoFid || files_.contains(fid)) return EINVAL;
  if (files_.size() >= max_files_) return ENFILE;
  struct stat status;
  if (fstat(descriptor.get(), &status) != 0) return errno;
  qid = folder_.qid(status);
  files_.emplace(fid, File{std::move(descriptor), status.st_mode & S_IFMT, status.st_dev});
  counters_.most_files = std::max<uint64_t>(counters_.most_files, files_.size());
  return 0;
}

int Session::finish_entry(int directory, const std::string& name, mode_t mode, MessageWriter& out) {
  const Descriptor made = folder_.entry(directory, name);
  struct stat status;
  if (!made) return made.error();
  if (fstat(made.get(), &status) != 0) return errno;
  out.put(folder_.qid(status));
  return folder_.complete_mode(made.get(), mode);
}

// ---- the session --------------------------------------------------------------------------------

int Session::version(MessageReader& in, MessageWriter& out) {
  const auto bytes = in.get<uint32_t>();
  const std::string name = in.text();
  if (!in.complete()) return EPROTO;
  if (bytes < kMinMessageBytes) return EMSGSIZE;
  reset();
  const bool known = name == kVersion;
  if (known) message_bytes_ = std::min(bytes, kMaxMessageBytes);
  out.put(std::min(bytes, kMaxMessageBytes));
  out.put(std::string_view(known ? kVersion : "unknown"));
  return 0;
}

int Session::attach(MessageReader& in, MessageWriter& out) {
  const auto fid = in.get<uint32_t>();
  const auto authenticated = in.get<uint32_t>();
  in.text();  // the user's name
  const std::string tree = in.text();
  in.get<uint32_t>();  // the user's number
  if (!in.complete()) return EPROTO;
  if (authenticated != kNoFid) return EINVAL;
  if (!tree.empty() && tree != "/") return ENOENT;  // there is one
  Qid qid;
  if (const int error = add(fid, folder_.root(), qid)) return error;
  out.put(qid);
  return 0;
}

// Requests are served in order: the one that is meant has been.
int Session::flush(MessageReader& in, MessageWriter&) {
  in.get<uint16_t>();
  return in.complete() ? 0 : EPROTO;
}

int Session::clunk(MessageReader& in, MessageWriter&) {
  const auto fid = in.get<uint32_t>();
  if (!in.complete()) return EPROTO;
  return files_.erase(fid) == 1 ? 0 : EBADF;
}

// ---- names --------------------------------------------------------------------------------------

Descriptor Session::step(int from, const std::string& name) const {
  if (name == ".") return folder_.again(from);
  return name == ".." ? folder_.parent(from) : folder_.entry(from, name);
}

int Session::walk(MessageReader& in, MessageWriter& out) {
  const auto fid = in.get<uint32_t>(), new_fid = in.get<uint32_t>();
  const auto count = in.get<uint16_t>();
  if (count > kMaxWalk) return EINVAL;
  std::vector<std::string> names(count);
  for (std::string& name : names) name = in.text();
  if (!in.complete()) return EPROTO;
  const File* const start = find(fid);
  if (!start) return EBADF;
  if (new_fid == fid && start->open) return EINVAL;
  if (new_fid != fid && (new_fid == kNoFid || find(new_fid))) return EINVAL;

  std::vector<Qid> qids;
  Descriptor here(-ENOENT);
  if (names.empty()) here = folder_.again(start->descriptor.get());
  for (const std::string& name : names) {
    here = step(qids.empty() ? start->descriptor.get() : here.get(), name);
    struct stat status;
    if (!here || fstat(here.get(), &status) != 0) break;
    qids.push_back(folder_.qid(status));
  }
  if (!here && qids.empty()) return here.error();
  // walk(5): with a name that is not there, the reply says how far it went, and there is no fid.
  if (qids.size() == names.size()) {
    if (new_fid == fid) files_.erase(fid);
    Qid qid;
    if (const int error = add(new_fid, std::move(here), qid)) return error;
  }
  out.put(static_cast<uint16_t>(qids.size()));
  for (const Qid& qid : qids) out.put(qid);
  return 0;
}

int Session::make_symlink(MessageReader& in, MessageWriter& out) {
  const File* const directory = find(in.get<uint32_t>());
  const std::string name = in.text(), target = in.text();
  in.get<uint32_t>();  // the group
  if (!in.complete()) return EPROTO;
  if (!directory) return EBADF;
  if (!is_entry_name(name) || target.find('\0') != std::string::npos) return EINVAL;
  if (symlinkat(target.c_str(), directory->descriptor.get(), name.c_str()) != 0) return errno;
  return finish_entry(directory->descriptor.get(), name, 0, out);
}

// FIFOs and sockets are for the guest's own kernel to serve; devices would be the host's.
int Session::make_node(MessageReader& in, MessageWriter& out) {
  const File* const directory = find(in.get<uint32_t>());
  const std::string name = in.text();
  const auto mode = in.get<uint32_t>();
  in.get<uint32_t>();  // major number
  in.get<uint32_t>();  // minor number
  in.get<uint32_t>();  // the group
  if (!in.complete()) return EPROTO;
  if (!directory) return EBADF;
  if (!is_entry_name(name)) return EINVAL;
  if (S_ISCHR(mode) || S_ISBLK(mode) || gives_rights(mode, mode & S_IFMT)) return EPERM;
  if (mknodat(directory->descriptor.get(), name.c_str(), mode & (S_IFMT | ALLPERMS), 0) != 0) return errno;
  return finish_entry(directory->descriptor.get(), name, mode, out);
}

int Session::make_directory(MessageReader& in, MessageWriter& out) {
  const File* const directory = find(in.get<uint32_t>());
  const std::string name = in.text();
  const auto mode = in.get<uint32_t>();
  in.get<uint32_t>();  // the group
  if (!in.complete()) return EPROTO;
  if (!directory) return EBADF;
  if (!is_entry_name(name)) return EINVAL;
  if (mkdirat(directory->descriptor.get(), name.c_str(), mode & ALLPERMS) != 0) return errno;
  return finish_entry(directory->descriptor.get(), name, mode, out);
}

int Session::make_link(MessageReader& in, MessageWriter&) {
  const File* const directory = find(in.get<uint32_t>());
  const File* const file = find(in.get<uint32_t>());
  const std::string name = in.text();
  if (!in.complete()) return EPROTO;
  if (!directory || !file) return EBADF;
  if (!is_entry_name(name)) return EINVAL;
  return folder_.link(file->descriptor.get(), directory->descriptor.get(), name);
}

int Session::rename(MessageReader& in, MessageWriter&) {
  const File* const file = find(in.get<uint32_t>());
  const File* const directory = find(in.get<uint32_t>());
  const std::string name = in.text();
  if (!in.complete()) return EPROTO;
  if (!file || !directory) return EBADF;
  if (!is_entry_name(name)) return EINVAL;
  const Folder::Place from = folder_.place(file->descriptor.get());
  if (!from.directory) return ENOENT;
  return result_of(renameat(from.directory.get(), from.name.c_str(), directory->descriptor.get(), name.c_str()));
}

int Session::rename_at(MessageReader& in, MessageWriter&) {
  const File* const from = find(in.get<uint32_t>());
  const std::string old_name = in.text();
  const File* const to = find(in.get<uint32_t>());
  const std::string new_name = in.text();
  if (!in.complete()) return EPROTO;
  if (!from || !to) return EBADF;
  if (!is_entry_name(old_name) || !is_entry_name(new_name)) return EINVAL;
  return result_of(renameat(from->descriptor.get(), old_name.c_str(), to->descriptor.get(), new_name.c_str()));
}

int Session::unlink_at(MessageReader& in, MessageWriter&) {
  const File* const directory = find(in.get<uint32_t>());
  const std::string name = in.text();
  const auto flags = in.get<uint32_t>();
  if (!in.complete()) return EPROTO;
  if (!directory) return EBADF;
  if (!is_entry_name(name) || (flags & ~kRemoveDirectory)) return EINVAL;
  return result_of(unlinkat(directory->descriptor.get(), name.c_str(), flags ? AT_REMOVEDIR : 0));
}

int Session::remove(MessageReader& in, MessageWriter&) {
  const auto fid = in.get<uint32_t>();
  if (!in.complete()) return EPROTO;
  auto node = files_.extract(fid);
  if (node.empty()) return EBADF;
  if (folder_.read_only()) return EROFS;
  const File& file = node.mapped();
  const Folder::Place place = folder_.place(file.descriptor.get());
  if (!place.directory) return ENOENT;
  return result_of(unlinkat(place.directory.get(), place.name.c_str(), file.type == S_IFDIR ? AT_REMOVEDIR : 0));
}

}  // namespace crosswalk::vmm
