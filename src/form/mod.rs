//! Bodies → fields → roles; the known form handlers; what the site's answer means. Pure.
