// The kinds of extensions that compress bodies and take codings off them, for the filters that name one.
#pragma once

#include <memory>

#include "source/compression/compressor.h"
#include "source/compression/decompressor.h"
#include "source/config/factory.h"
#include "source/config/services.h"

namespace sluice::config {

// By `compressor_library`.
class CompressorConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const compression::CompressorLibrary> compile(const google::protobuf::Message& message,
                                                                        FactoryContext context) const = 0;
};

// By `decompressor_library`.
class DecompressorConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const compression::DecompressorLibrary> compile(const google::protobuf::Message& message,
                                                                          FactoryContext context) const = 0;
};

}  // namespace sluice::config
