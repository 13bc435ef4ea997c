//! Which instruction set a kernel runs on.
//!
//! A kernel is written once, in portable Rust, within the macro `dispatched!`, which compiles it
//! once more for AVX2 and for AVX-512, where the compiler turns the same loops into vector code:
//! all paths agree by construction (and a test says so). Where that is not fast enough a kernel
//! is generic over [`crate::simd::lanes`]. A [`Path`] can only be had for an instruction set that
//! this machine has, which is what makes the `unsafe` calls below sound.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) enum Level {
    Portable,
    Avx2,
    Avx512,
    Ifma,
}

/// Proof that this machine has an instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path(Level);

impl Path {
    /// What every machine has.
    pub const PORTABLE: Path = Path(Level::Portable);

    /// All that this machine can run, the best last.
    #[allow(unused_mut, reason = "only x86-64 has more than one path")]
    pub fn available() -> Vec<Path> {
        let mut paths = vec![Path::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("fma");
            if has_avx2 {
                paths.push(Path(Level::Avx2));
            }
            let has_avx512 = has_avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            if has_avx512 {
                paths.push(Path(Level::Avx512));
            }
            if has_avx512 && is_x86_feature_detected!("avx512ifma") {
                paths.push(Path(Level::Ifma));
            }
        }
        paths
    }

    /// The fastest that this machine can run.
    pub fn best() -> Path {
        use std::sync::OnceLock;
        static BEST: OnceLock<Path> = OnceLock::new();
        *BEST.get_or_init(|| Path::available().pop().unwrap_or(Path::PORTABLE))
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Ifma => "avx512-ifma",
        }
    }

    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub(crate) fn level(self) -> Level {
        self.0
    }
}

/// Makes functions that run their bodies compiled for a [`Path`], which becomes the first argument.
/// A body that is generic over `L: Lanes`, `L: HasShorts` or `L: Residues` gets those of the path.
macro_rules! dispatched {
    () => {};
    ($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block $($rest:tt)*) => {
        $crate::simd::path::dispatched! {
            @ $(#[$meta])* $name($($arg: $type),*) [] $body
            [Avx512 "avx2,bmi2,fma,avx512f,avx512dq,avx512bw,avx512vl"] [] [] []
        }
        $crate::simd::path::dispatched! { $($rest)* }
    };
    ($(#[$meta:meta])* pub fn $name:ident<L: Lanes>($($arg:ident: $type:ty),* $(,)?) $body:block $($rest:tt)*) => {
        $crate::simd::path::dispatched! {
            @ $(#[$meta])* $name($($arg: $type),*) [<L: Lanes>] $body
            [Avx512 "avx2,bmi2,fma,avx512f,avx512dq,avx512bw,avx512vl"]
            [::<$crate::simd::lanes::Portable>]
            [::<$crate::simd::lanes::Avx2>]
            [::<$crate::simd::lanes::Avx512>]
        }
        $crate::simd::path::dispatched! { $($rest)* }
    };
    ($(#[$meta:meta])* pub fn $name:ident<L: HasShorts>($($arg:ident: $type:ty),* $(,)?) $body:block $($rest:tt)*) => {
        $crate::simd::path::dispatched! {
            @ $(#[$meta])* $name($($arg: $type),*) [<L: HasShorts>] $body
            [Avx512 "avx2,bmi2,fma,avx512f,avx512dq,avx512bw,avx512vl"]
            [::<$crate::simd::lanes::Portable>]
            [::<$crate::simd::lanes::Avx2>]
            [::<$crate::simd::lanes::Avx512>]
        }
        $crate::simd::path::dispatched! { $($rest)* }
    };
    ($(#[$meta:meta])* pub fn $name:ident<L: Residues>($($arg:ident: $type:ty),* $(,)?) $body:block $($rest:tt)*) => {
        $crate::simd::path::dispatched! {
            @ $(#[$meta])* $name($($arg: $type),*) [<L: Residues>] $body
            [Ifma "avx2,bmi2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512ifma"]
            [::<$crate::simd::lanes::Portable>]
            [::<$crate::simd::lanes::Avx2>]
            [::<$crate::simd::lanes::Avx512>]
        }
        $crate::simd::path::dispatched! { $($rest)* }
    };
    // The path from which on the third kind of lanes is taken, with the instructions it needs.
    (@ $(#[$meta:meta])* $name:ident($($arg:ident: $type:ty),*) [$($generics:tt)*] $body:block
     [$wide:ident $features:literal] [$($portable:tt)*] [$($avx2:tt)*] [$($avx512:tt)*]) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        pub fn $name(path: $crate::simd::path::Path, $($arg: $type),*) {
            #[inline(always)]
            fn body $($generics)*($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::simd::path::Level;
                #[target_feature(enable = "avx2,bmi2,fma")]
                fn avx2($($arg: $type),*) {
                    body $($avx2)*($($arg),*)
                }
                #[target_feature(enable = $features)]
                fn avx512($($arg: $type),*) {
                    body $($avx512)*($($arg),*)
                }
                match path.level() {
                    Level::Portable => body $($portable)*($($arg),*),
                    // SAFETY: a `Path` of this level exists only where the CPU has these.
                    level if level >= Level::$wide => unsafe { avx512($($arg),*) },
                    // SAFETY: and one of any other level where it has at least those of AVX2.
                    _ => unsafe { avx2($($arg),*) },
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = path;
                body $($portable)*($($arg),*)
            }
        }
    };
}

pub(crate) use dispatched;
