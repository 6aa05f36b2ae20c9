// States of compressors and decompressors, kept for the next message: making one costs more than a small body.
//
//   const Shared<CompressorLibrary> shared;             // in a filter's settings
//   Lease<CompressorLibrary> lease = shared.take(worker);  // in the filter; gives it back with the filter
//
// Thread: a pool and its leases are a worker's; Shared is immutable.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "source/worker/local.h"

namespace sluice::compression {

template <typename Library>
class Pool {
 public:
  using Codec = typename Library::Codec;
  // States of a library take from 30 KiB (gzip by default) to some MiB each.
  static constexpr size_t kMostIdle = 16;

  explicit Pool(std::shared_ptr<const Library> library) : library_(std::move(library)) {}

  std::unique_ptr<Codec> take() {
    if (idle_.empty()) return library_->make();
    std::unique_ptr<Codec> codec = std::move(idle_.back());
    idle_.pop_back();
    return codec;
  }
  void give(std::unique_ptr<Codec> codec) {
    if (idle_.size() == kMostIdle) return;
    codec->reset();
    idle_.push_back(std::move(codec));
  }
  size_t idle() const { return idle_.size(); }

 private:
  const std::shared_ptr<const Library> library_;
  std::vector<std::unique_ptr<Codec>> idle_;
};

// One state for as long as it is needed. The pool outlives it.
template <typename Library>
class Lease {
 public:
  using Codec = typename Library::Codec;

  Lease() = default;
  explicit Lease(Pool<Library>& pool) : pool_(&pool), codec_(pool.take()) {}
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&& other) noexcept {
    release();
    pool_ = other.pool_;
    codec_ = std::move(other.codec_);
    return *this;
  }
  ~Lease() { release(); }

  explicit operator bool() const { return codec_ != nullptr; }
  Codec* operator->() const { return codec_.get(); }
  // Gives it back before its time.
  void release() {
    if (codec_ != nullptr) pool_->give(std::move(codec_));
    codec_ = nullptr;
  }

 private:
  Pool<Library>* pool_ = nullptr;
  std::unique_ptr<Codec> codec_;
};

// A library with a pool on each worker.
template <typename Library>
class Shared {
 public:
  Shared(std::shared_ptr<const Library> library, const worker::LocalSlots& slots)
      : library_(std::move(library)), pools_(slots, [library = library_](worker::WorkerServices&) {
          return std::make_unique<Pool<Library>>(library);
        }) {}

  const Library& library() const { return *library_; }
  // `worker`: WorkerServices.
  template <typename Worker>
  Lease<Library> take(Worker& worker) const {
    return Lease<Library>(pools_.get(worker));
  }

 private:
  const std::shared_ptr<const Library> library_;
  const worker::WorkerLocal<Pool<Library>> pools_;
};

}  // namespace sluice::compression
