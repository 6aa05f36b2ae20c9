// Names and owners of the library's types, so that headers do without its headers.
#pragma once

#include <memory>

struct bio_st;
struct crypto_buffer_pool_st;
struct crypto_buffer_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct x509_st;
struct x509_store_st;

namespace sluice::tls {

struct SslFree {
  void operator()(bio_st* object) const;
  void operator()(crypto_buffer_pool_st* object) const;
  void operator()(crypto_buffer_st* object) const;
  void operator()(evp_pkey_st* object) const;
  void operator()(ssl_ctx_st* object) const;
  void operator()(ssl_session_st* object) const;
  void operator()(ssl_st* object) const;
  void operator()(x509_st* object) const;
  void operator()(x509_store_st* object) const;
};

template <typename Object>
using SslOwned = std::unique_ptr<Object, SslFree>;

}  // namespace sluice::tls
