// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/patient_write.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

namespace crosswalk::vmm {
namespace {

using namespace std::chrono_literals;

TEST(PatientWrite, APipeThatNobodyReadsIsGivenUp) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text(1 << 20, 'x');
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(write_patiently(ends[1], text, 50));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  EXPECT_FALSE(write_patiently(-1, "x", 50));
  close(ends[0]);
  close(ends[1]);
}

TEST(PatientWrite, ASlowReaderGetsAll) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text(200'000, 'x');
  size_t got = 0;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0; got += static_cast<size_t>(count))
      std::this_thread::sleep_for(1ms);
  });
  EXPECT_TRUE(write_patiently(ends[1], text, 1000));
  close(ends[1]);
  reader.join();
  EXPECT_EQ(got, text.size());
  close(ends[0]);
}

TEST(PatientWrite, AnotherDescriptionDoesNotBlockAndLeavesTheFirstAlone) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int other = reopen_nonblocking(ends[1]);
  ASSERT_NE(other, ends[1]);
  EXPECT_TRUE(fcntl(other, F_GETFL) & O_NONBLOCK);
  EXPECT_FALSE(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
  for (const int fd : {ends[0], ends[1], other}) close(fd);
  EXPECT_EQ(reopen_nonblocking(-1), -1);
}

TEST(PatientWrite, RawTerminalsGetCarriageReturns) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_EQ(grantpt(master), 0);
  ASSERT_EQ(unlockpt(master), 0);
  const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  ASSERT_GE(slave, 0);
  for (const bool raw : {false, true}) {
    termios settings;
    ASSERT_EQ(tcgetattr(slave, &settings), 0);
    if (raw) cfmakeraw(&settings);
    ASSERT_EQ(tcsetattr(slave, TCSANOW, &settings), 0);
    print_error(slave, "a\nb\n", 1000);
    char text[16] = {};
    ASSERT_EQ(read(master, text, sizeof text - 1), 6);
    EXPECT_STREQ(text, "a\r\nb\r\n");
  }
  close(slave);
  close(master);
}

}  // namespace
}  // namespace crosswalk::vmm
