"""The nginx directives and variables that the sandbox knows.

A selection: what a person may write into a host's advanced configuration.
"""


def _words(text: str) -> list[str]:
    return text.split()


SERVER = "server"
LOCATION = "location"
IF = "if"
HTTP = "http"
STREAM = "stream"
STREAM_SERVER = "server of a stream"
TOP = (HTTP, STREAM)
"""The contexts of whole files."""

BLOCKS = {
    "server": {HTTP, STREAM},
    "location": {SERVER, LOCATION},
    "if": {SERVER, LOCATION},
    "limit_except": {LOCATION},
    "types": {SERVER, LOCATION},
}

_ELSEWHERE = _words("""
    daemon env events geo http load_module log_format map pid proxy_cache_path
    split_clients stream upstream user worker_connections worker_processes limit_req_zone
    limit_conn_zone
""")

_SERVER_ONLY = _words("""
    http2 listen server_name ssl_certificate ssl_certificate_key
    ssl_ciphers ssl_protocols ssl_prefer_server_ciphers ssl_session_cache ssl_session_timeout
    ssl_dhparam ssl_stapling ssl_stapling_verify ssl_trusted_certificate ssl_verify_client
    ssl_client_certificate client_header_buffer_size large_client_header_buffers
    client_header_timeout ignore_invalid_headers underscores_in_headers merge_slashes
""")

_LOCATION_ONLY = _words("""
    alias fastcgi_pass grpc_pass internal proxy_pass scgi_pass stub_status uwsgi_pass
""")

_EVERYWHERE = _words("""
    access_log add_header add_trailer addition_types aio auth_basic auth_basic_user_file
    auth_request auth_request_set autoindex autoindex_format charset charset_types
    chunked_transfer_encoding client_body_buffer_size client_body_in_file_only
    client_body_temp_path client_body_timeout client_max_body_size default_type directio
    error_log error_page etag expires fastcgi_index fastcgi_param fastcgi_read_timeout gunzip
    gzip gzip_buffers gzip_comp_level gzip_disable gzip_http_version gzip_min_length
    gzip_proxied gzip_static gzip_types gzip_vary if_modified_since include index
    keepalive_requests keepalive_timeout limit_conn limit_rate limit_rate_after limit_req
    lingering_close log_not_found log_subrequest max_ranges mirror more_clear_headers
    more_clear_input_headers more_set_headers more_set_input_headers open_file_cache
    output_buffers port_in_redirect proxy_bind proxy_buffer_size proxy_buffering proxy_buffers
    proxy_busy_buffers_size proxy_cache proxy_cache_background_update proxy_cache_bypass
    proxy_cache_key proxy_cache_lock proxy_cache_methods proxy_cache_min_uses
    proxy_cache_revalidate proxy_cache_use_stale proxy_cache_valid proxy_connect_timeout
    proxy_cookie_domain proxy_cookie_flags proxy_cookie_path proxy_force_ranges
    proxy_headers_hash_bucket_size proxy_headers_hash_max_size proxy_hide_header
    proxy_http_version proxy_ignore_client_abort proxy_ignore_headers proxy_intercept_errors
    proxy_limit_rate proxy_max_temp_file_size proxy_method proxy_next_upstream
    proxy_next_upstream_timeout proxy_next_upstream_tries proxy_no_cache proxy_pass_header
    proxy_pass_request_body proxy_pass_request_headers proxy_read_timeout proxy_redirect
    proxy_request_buffering proxy_send_timeout proxy_set_body proxy_set_header
    proxy_socket_keepalive proxy_ssl_certificate proxy_ssl_certificate_key proxy_ssl_ciphers
    proxy_ssl_name proxy_ssl_protocols proxy_ssl_server_name proxy_ssl_session_reuse
    proxy_ssl_trusted_certificate proxy_ssl_verify proxy_ssl_verify_depth proxy_store
    proxy_temp_file_write_size real_ip_header real_ip_recursive recursive_error_pages
    reset_timedout_connection resolver resolver_timeout root satisfy
    send_timeout sendfile server_name_in_redirect server_tokens set_real_ip_from ssi
    sub_filter sub_filter_last_modified sub_filter_once sub_filter_types tcp_nodelay tcp_nopush
    try_files valid_referers
""")

SIMPLE: dict[str, set[str]] = {
    **{name: set() for name in _ELSEWHERE},
    **{name: {SERVER} for name in _SERVER_ONLY},
    **{name: {LOCATION, IF} for name in _LOCATION_ONLY},
    **{name: {SERVER, LOCATION} for name in _EVERYWHERE},
    **{name: {SERVER, LOCATION, IF} for name in ("set", "rewrite", "return", "break")},
    **{name: {SERVER, LOCATION} for name in ("allow", "deny")},
    "rewrite_log": {SERVER, LOCATION, IF},
}
for _name in (
    "add_header",
    "limit_rate",
    "error_page",
    "expires",
    "root",
    "access_log",
    "sendfile",
):
    SIMPLE[_name] = {SERVER, LOCATION, IF}

for _name in ("listen", "proxy_pass", "ssl_certificate", "ssl_certificate_key"):
    SIMPLE[_name] = SIMPLE[_name] | {STREAM_SERVER}

REPEATABLE = set(
    _words("""
    access_log add_header add_trailer allow auth_request_set break deny error_log error_page
    fastcgi_param if include limit_conn limit_req listen location log_format mirror
    more_clear_headers more_clear_input_headers more_set_headers more_set_input_headers
    proxy_cache_valid proxy_cookie_domain proxy_cookie_flags proxy_cookie_path
    proxy_hide_header proxy_no_cache proxy_cache_bypass proxy_pass_header proxy_redirect
    proxy_set_header return rewrite server server_name set set_real_ip_from sub_filter
    limit_except types
    """)
)

FLAGS = set(
    _words("""
    autoindex chunked_transfer_encoding etag gunzip gzip gzip_vary http2 log_not_found
    merge_slashes port_in_redirect proxy_buffering proxy_cache_lock proxy_cache_revalidate
    proxy_force_ranges proxy_ignore_client_abort proxy_intercept_errors
    proxy_pass_request_body proxy_pass_request_headers proxy_request_buffering
    proxy_socket_keepalive proxy_ssl_server_name proxy_ssl_session_reuse proxy_ssl_verify
    real_ip_recursive recursive_error_pages reset_timedout_connection sendfile
    server_name_in_redirect ssi ssl_prefer_server_ciphers ssl_stapling ssl_stapling_verify
    sub_filter_last_modified sub_filter_once tcp_nodelay tcp_nopush underscores_in_headers
    """)
)

SIZES = {"client_max_body_size", "client_body_buffer_size", "proxy_buffer_size", "gzip_min_length"}

TIMES = {name for name in SIMPLE if name.endswith("_timeout") and name != "keepalive_timeout"}

ARGUMENTS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(FLAGS | SIZES | TIMES, (1, 1)),
    **dict.fromkeys(("allow", "deny", "auth_basic", "auth_basic_user_file", "root"), (1, 1)),
    **dict.fromkeys(("include", "proxy_pass", "proxy_http_version", "satisfy", "alias"), (1, 1)),
    **dict.fromkeys(("set", "proxy_set_header", "sub_filter"), (2, 2)),
    **dict.fromkeys(("break", "internal", "server", "types"), (0, 0)),
    "add_header": (2, 3),
    "location": (1, 2),
    "return": (1, 2),
    "rewrite": (2, 3),
}
"""Fewest and most arguments; what is not listed takes at least one."""

EXPANDS = {"add_header", "if", "proxy_pass", "proxy_set_header", "return", "rewrite", "set"}
"""Directives whose arguments may hold variables."""

VARIABLES = set(
    _words("""
    args binary_remote_addr body_bytes_sent bytes_sent connection content_length content_type
    document_root document_uri forward_scheme host hostname https is_args limit_rate msec
    nginx_version port proxy_add_x_forwarded_for proxy_host proxy_port query_string
    realip_remote_addr remote_addr remote_port remote_user request request_body
    request_filename request_id request_length request_method request_time request_uri scheme
    server server_addr server_name server_port server_protocol ssl_protocol status
    time_iso8601 time_local trust_forwarded_proto uri x_forwarded_proto x_forwarded_scheme
    upstream_addr upstream_cache_status upstream_response_time upstream_status
    """)
)

VARIABLE_PREFIXES = ("arg_", "cookie_", "http_", "sent_http_", "upstream_http_")
