// The file in which a token server keeps its state: changes one behind the other, each durable before anybody is told
// of what depends on it.
//
// A file begins with a line that says what it is. Each append is one frame: a mark, a length, a checksum (SHA-256 cut
// to 16 bytes) of the length and what follows. What stands behind the last whole frame is what a crash has left of an
// append that nobody was told of, and is cut. A broken frame with a whole one behind it is none of that: the file is
// refused, and stays as it is. When most of the file is over it is written anew beside it and renamed.
// PATH.lock is locked as long as the journal is open, so that no other process writes.
// Thread: one at a time; every call may block.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "source/crypto/sealer.h"
#include "source/extensions/filters/http/oauth2_server/state.h"

namespace sluice::extensions::http_filters::oauth2_server {

struct ReadJournal {
  State state;
  size_t size = 0;        // of the file's beginning that is whole
  bool unsealed = false;  // it holds a private key that is not sealed
};

// Of the whole content of a file. An error says what is wrong at which byte.
absl::StatusOr<ReadJournal> readJournal(std::string_view bytes, const crypto::Sealer* sealer);
// With frames of at most about 1 MiB each.
std::string writeJournal(const State& state, const crypto::Sealer* sealer);

class Journal {
 public:
  struct Options {
    std::string path;
    std::optional<crypto::Sealer> sealer = std::nullopt;
    size_t smallest = 1 << 20;         // bytes from which on it may be written anew
    size_t largest = size_t{1} << 30;  // bytes that it may have
  };

  // Opens or makes the file. With a sealer, a file with keys that are not sealed is written anew.
  static absl::StatusOr<std::unique_ptr<Journal>> open(Options options, WallTime now);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // As the file has it: to be taken once after open() or reopen().
  State takeState() { return std::move(state_); }
  // What there is to say of how it was found, for a log; empty: nothing. Taken once.
  std::string takeNote() { return std::exchange(note_, {}); }

  // Durable when it returns OK. After an error nothing more is written before reopen(); until then the changes may
  // stand there or not.
  absl::Status append(const std::vector<Change>& changes);
  // Reads the file again, without what was appended and not acknowledged: whoever asks again finds what was before. An
  // error where something that was acknowledged is not there.
  absl::Status reopen();
  // Writes it anew if most of it is over, or half of the room that was left is taken. An error leaves it as it is.
  absl::Status compact(WallTime now);
  bool wantsCompaction() const;
  // Any thread.
  const std::optional<crypto::Sealer>& sealer() const { return options_.sealer; }

 private:
  explicit Journal(Options options) : options_(std::move(options)) {}

  absl::Status lock();
  absl::Status load();
  absl::Status rewrite(WallTime now);
  absl::StatusOr<std::string> content() const;
  absl::Status syncFolder() const;
  absl::Status error(std::string_view what) const;

  const Options options_;
  int lock_ = -1;
  int file_ = -1;
  size_t size_ = 0, compacted_size_ = 0;
  bool broken_ = false;
  bool unsealed_ = false;
  State state_;
  std::string note_;
};

}  // namespace sluice::extensions::http_filters::oauth2_server
