//! Here is an account at Amazon: which vectors and documents does it give?

#![forbid(unsafe_code)]
