// SPDX-License-Identifier: GPL-2.0-or-later
// Memory for what the emission of one block needs, which is all given back at once: in one piece,
// and without malloc as long as it fits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace crosswalk::x64 {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised, for any type of at most this alignment.
  static constexpr size_t kAlign = 16;
  void* allocate(size_t bytes) {
    bytes = (bytes + kAlign - 1) & ~(kAlign - 1);
    if (bytes > static_cast<size_t>(end_ - at_)) return allocate_more(bytes);
    std::byte* const p = at_;
    at_ += bytes;
    return p;
  }

 private:
  [[gnu::noinline]] void* allocate_more(size_t bytes) {
    const size_t piece = bytes + sizeof first_;
    more_.emplace_back(new std::byte[piece]);
    at_ = more_.back().get() + bytes;
    end_ = more_.back().get() + piece;
    return more_.back().get();
  }

  alignas(kAlign) std::byte first_[24 << 10];
  std::byte* at_ = first_;
  std::byte* end_ = first_ + sizeof first_;
  std::vector<std::unique_ptr<std::byte[]>> more_;
};

// As std::vector. What it outgrows stays in the arena.
template <class T>
class ArenaVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T> && alignof(T) <= Arena::kAlign);

 public:
  // Of `size` default values, with room for `capacity`.
  ArenaVector(Arena& arena, size_t size, size_t capacity = 0) : arena_(arena) {
    capacity_ = std::max(size, capacity);
    data_ = static_cast<T*>(arena.allocate(capacity_ * sizeof(T)));
    size_ = size;
    for (T *p = data_, *const end = data_ + size; p != end; p++) *p = T();
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  void push_back(T value) {
    if (size_ == capacity_) grow(2 * size_ + 8);
    data_[size_++] = value;
  }
  // `n` more, uninitialised.
  T* extend(size_t n) {
    if (size_ + n > capacity_) grow(size_ + n);
    size_ += n;
    return data_ + size_ - n;
  }
  void clear() { size_ = 0; }

 private:
  [[gnu::noinline]] void grow(size_t capacity) {
    T* const more = static_cast<T*>(arena_.allocate(capacity * sizeof(T)));
    for (size_t i = 0; i < size_; i++) more[i] = data_[i];
    data_ = more;
    capacity_ = capacity;
  }

  Arena& arena_;
  T* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace crosswalk::x64
